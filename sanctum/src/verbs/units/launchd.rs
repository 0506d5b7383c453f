//! launchd.plist(5).

use sanctum_kernel::Spec;

use super::{Place, words};

/// Time for the last words after the grace, in seconds.
const MARGIN: u64 = 5;

/// One property list.
pub(super) fn plist(spec: &Spec, place: &Place<'_>) -> String {
    let words = std::iter::once(place.binary.to_string_lossy().into_owned()).chain(words(spec).into_iter().map(str::to_owned));
    let words: String = words.map(|word| format!("    <string>{}</string>\n", escape(&word))).collect::<Vec<_>>().concat();
    let home = escape(&place.home.to_string_lossy());
    let log = format!("{home}/logs/{}.log", spec.name);
    let Spec { name, house_name, summary, grace, .. } = spec;
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Sanctum {house_name}: {summary} -->
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>dev.sanctum.{name}</string>
  <key>ProgramArguments</key>
  <array>
{words}  </array>
  <key>EnvironmentVariables</key>
  <dict>
    <key>SANCTUM_HOME</key>
    <string>{home}</string>
  </dict>
  <key>WorkingDirectory</key>
  <string>{home}</string>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <true/>
  <key>ThrottleInterval</key>
  <integer>10</integer>
  <key>ExitTimeOut</key>
  <integer>{timeout}</integer>
  <key>Umask</key>
  <integer>63</integer>
  <key>StandardOutPath</key>
  <string>{log}</string>
  <key>StandardErrorPath</key>
  <string>{log}</string>
</dict>
</plist>
"#,
        house_name = comment(house_name),
        summary = comment(summary),
        timeout = grace.as_secs() + MARGIN,
    )
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Two hyphens end a comment.
pub(super) fn comment(text: &str) -> String {
    text.replace("--", "- -")
}
