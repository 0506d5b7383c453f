//! Scripts of the owner's, good and bad.

use std::os::unix::fs::PermissionsExt;

use sanctum_watch::engine::Acted;

use super::ward::{Ward, home, item, open, refused};

fn recipe(file: &str, more: &str) -> String {
    format!(
        "id = \"mend-it\"\nsummary = \"mends it\"\ntrigger = \"it is broken\"\nseverity = \"low\"\ncool-down = \"0s\"\n\
         dry-run = \"never\"\nreversible = false\n[action.script]\nfile = \"{file}\"\n{more}"
    )
}

async fn ward() -> Ward {
    let mut app = item("app", &[]);
    app.port = Some(8123);
    open(home(), vec![], vec![app], "").await
}

#[tokio::test]
async fn a_script_mends_is_told_of_whom_and_is_undone_by_another() {
    let ward = ward().await;
    let mark = ward.home().join("mark");
    ward.script("mend", &format!("#!/bin/sh\necho \"$@\" > {}; echo mended\n", mark.display()));
    ward.script("unmend", &format!("#!/bin/sh\nrm {}; echo \"not $1 any more\"\n", mark.display()));
    let more =
        "arguments = [\"{service}\", \"{port}\", \"{incident}\", \"a b; rm -rf $HOME\"]\nundo = \"unmend\"\n";
    ward.recipe("mend", &recipe("mend", more).replace("reversible = false", "reversible = true"));
    let done = ward.act(Some("app"), "mend-it", vec![]).await;
    assert_eq!(done, Acted::Done("`mend` ended well: mended".to_owned()));
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), "app 8123 7 a b; rm -rf $HOME\n");
    let line = ward.newest("acted").await;
    assert!(line.undo.as_deref().unwrap().starts_with("run the script `unmend` app 8123"));
    let undone = ward.healer.undo(line.id, "ava").await.unwrap();
    assert!(undone.detail.contains("not app any more"), "{undone:?}");
    assert!(!mark.exists());
    ward.house.stop().await;
}

#[tokio::test]
async fn a_detector_that_is_a_script_decides() {
    let ward = ward().await;
    let broken = ward.home().join("broken");
    ward.script("see", &format!("#!/bin/sh\ntest -e {}\n", broken.display()));
    ward.script("mend", &format!("#!/bin/sh\nrm {}\n", broken.display()));
    ward.recipe("mend", &recipe("mend", "[detector.script]\nfile = \"see\"\n"));
    let why = refused(ward.act(Some("app"), "mend-it", vec![]).await);
    assert!(why.contains("its detector does not see it"), "{why}");
    sanctum_kernel::files::replace(&broken, b"", 0o600).unwrap();
    assert!(matches!(ward.act(Some("app"), "mend-it", vec![]).await, Acted::Done(_)));
    assert!(!broken.exists());
    ward.house.stop().await;
}

#[tokio::test]
async fn scripts_that_misbehave_fail_within_their_bounds() {
    let ward = ward().await;
    for (text, more, why) in [
        ("#!/bin/sh\nexit 3\n", "", "ended with 3"),
        ("#!/bin/sh\necho no luck >&2; exit 1\n", "", "no luck"),
        ("#!/bin/sh\nkill -9 $$\n", "", "ended by a signal"),
        (
            "#!/bin/sh\ntrap '' TERM; while :; do sleep 1; done\n",
            "timeout = \"500ms\"\n",
            "took longer than 0.5 s",
        ),
        (
            "#!/bin/sh\ni=0; while [ $i -lt 100 ]; do setsid sleep 1000 & i=$((i+1)); done; wait\n",
            "processes = 12\n",
            "more than 12 processes",
        ),
        ("#!/nonexistent/interpreter\n", "", "could not be started"),
    ] {
        ward.script("mend", text);
        ward.recipe("mend", &recipe("mend", more));
        let failed = ward.act(Some("app"), "mend-it", vec![]).await;
        assert!(matches!(&failed, Acted::Failed(words) if words.contains(why)), "{why}: {failed:?}");
    }
    ward.script("mend", "#!/bin/sh\nyes | head -c 5000000\n");
    ward.recipe("mend", &recipe("mend", ""));
    let done = ward.act(Some("app"), "mend-it", vec![]).await;
    assert!(matches!(&done, Acted::Done(words) if words.len() < 300), "{done:?}");
    ward.house.stop().await;
}

#[tokio::test]
async fn a_script_that_is_not_as_it_must_be_is_refused_by_the_allow_list() {
    let ward = ward().await;
    ward.recipe("mend", &recipe("mend", ""));
    let why = refused(ward.act(Some("app"), "mend-it", vec![]).await);
    assert!(why.starts_with("allow-list: "), "{why}");
    ward.script("mend", "#!/bin/sh\n");
    let path = ward.home().join("recipes/scripts/mend");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let why = refused(ward.act(Some("app"), "mend-it", vec![]).await);
    assert!(why.contains("chmod 700"), "{why}");
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/bin/true", &path).unwrap();
    let why = refused(ward.act(Some("app"), "mend-it", vec![]).await);
    assert!(why.contains("is a link"), "{why}");
    let lines = ward.healer.audit(1).await.unwrap();
    assert!(lines.iter().all(|line| line.outcome == "refused") && lines.len() == 3, "{lines:?}");
    ward.house.stop().await;
}
