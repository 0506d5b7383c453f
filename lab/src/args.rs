//! The command line.

use std::path::PathBuf;

use sanctum_kernel::chain::Hinted;
use sanctum_kernel::{Failure, exit};

pub(crate) const HELP: &str = "\
The story of the house, in network namespaces, with real DHCP and the real binary. Needs root on Linux.

Usage: sanctum-lab <story|joins|edge|chain|check> [options]
       sanctum-lab <conformance|clients|provider|mcp|fixtures> [options]

  story   A console joins at night: no packet passes, a parent is told, the tablet streams on,
          at wake-up it is lifted. Then: a playing console, a flushed router, a killed service.
  joins   Strangers join again and again: how long from the first DHCP packet until the router
          holds the block, and how many packets passed meanwhile.
  edge    A console plays every way there is when a parent says that it is enough, again and
          again: how many bytes pass after the verdict.
  chain   Strangers join: how long until the violation is stored, the message is at a local
          webhook and the banner is in the browser.
  check   The same network without a house: shows that the lab sees what passes.
  conformance   What clients of language models rely on, asked of the proxy: every client's
                API before every provider's, in good days and bad. Needs no root.
  clients       Real SDKs and agents against the proxy (after tools/clients). Needs no root.
  mcp           The conformance suite of the Model Context Protocol against the house's transport;
                its Inspector and an agent against the memory (after tools/mcp). Needs no root.
  fixtures      What the suite asks of a server, alone: point any MCP client at it.
  provider      The provider of these, alone: point any client at it.

Options:
  --n N            How many joins [default: 100 for joins, 20 for edge and chain]
  --json           A report as JSON on standard output; the rest goes to standard error
  --sanctum PATH   The binary that is tried [default: `sanctum` beside this program]
  --against PEER   conformance of a peer that tools/peers has installed
  --only WORDS     Only the checks whose title holds these words, or the clients of that name
  --no-browser     Follow the dashboard's stream instead of looking at its page in Chromium
  -h, --help       This text

Everything that is made carries this process's id and is removed at the end, also after a
failure or Ctrl-C. Nothing leaves the namespaces.

Exit codes: 0 everything held · 1 something did not · 64 wrong command line · 66 no `sanctum`
to try · 69 a tool is not installed · 77 not root

Examples:
  sudo make lab
  sudo target/release/sanctum-lab joins --n 100
  sudo target/release/sanctum-lab story --json 2>/dev/null | jq .chain
";

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Story,
    Joins,
    Edge,
    Chain,
    Check,
    Conformance,
    Clients,
    Provider,
    Mcp,
    Fixtures,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) verb: Verb,
    pub(crate) n: usize,
    pub(crate) json: bool,
    pub(crate) sanctum: Option<PathBuf>,
    pub(crate) browser: bool,
    pub(crate) against: Option<String>,
    pub(crate) only: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    Help,
    Run(Args),
}

pub(crate) fn parse(words: &[String]) -> Result<Wish, Failure> {
    let wrong = |message: String| -> Failure {
        Hinted::new(exit::USAGE, message, "`sanctum-lab --help` shows how to say it").into()
    };
    let mut args = Args {
        verb: Verb::Story,
        n: 0,
        json: false,
        sanctum: None,
        browser: true,
        against: None,
        only: None,
    };
    let mut verb = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = |what: &str| words.next().ok_or_else(|| wrong(format!("`{word}` needs {what}")));
        match word.as_str() {
            "-h" | "--help" | "help" => return Ok(Wish::Help),
            "--json" => args.json = true,
            "--no-browser" => args.browser = false,
            "--sanctum" => args.sanctum = Some(PathBuf::from(value("a path")?)),
            "--n" => {
                let given = value("a number")?;
                args.n = given
                    .parse()
                    .ok()
                    .filter(|n| (1..=10_000).contains(n))
                    .ok_or_else(|| wrong(format!("`{given}` is not a number from 1 to 10000")))?;
            }
            "--against" => args.against = Some(value("the name of a peer")?.clone()),
            "--only" => args.only = Some(value("words of a title")?.clone()),
            "conformance" => verb = Some(Verb::Conformance),
            "clients" => verb = Some(Verb::Clients),
            "provider" => verb = Some(Verb::Provider),
            "mcp" => verb = Some(Verb::Mcp),
            "fixtures" => verb = Some(Verb::Fixtures),
            "story" => verb = Some(Verb::Story),
            "edge" => verb = Some(Verb::Edge),
            "joins" => verb = Some(Verb::Joins),
            "check" => verb = Some(Verb::Check),
            "chain" => verb = Some(Verb::Chain),
            other => return Err(wrong(format!("`{other}` is neither a verb nor an option"))),
        }
    }
    let Some(verb) = verb else { return Ok(Wish::Help) };
    args.verb = verb;
    if args.n == 0 {
        args.n = if verb == Verb::Joins { 100 } else { 20 };
    }
    Ok(Wish::Run(args))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Result<Wish, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_what_the_help_says() {
        let run =
            |verb, n| Args { verb, n, json: false, sanctum: None, browser: true, against: None, only: None };
        let cases = [
            ("", Ok(Wish::Help)),
            ("story --help", Ok(Wish::Help)),
            ("story", Ok(Wish::Run(run(Verb::Story, 20)))),
            ("joins", Ok(Wish::Run(run(Verb::Joins, 100)))),
            ("chain --n 7 --json", Ok(Wish::Run(Args { json: true, ..run(Verb::Chain, 7) }))),
            ("--no-browser story", Ok(Wish::Run(Args { browser: false, ..run(Verb::Story, 20) }))),
            ("joins --n 0", Err("`0` is not a number from 1 to 10000".to_owned())),
            ("joins --n", Err("`--n` needs a number".to_owned())),
            ("dance", Err("`dance` is neither a verb nor an option".to_owned())),
        ];
        for (line, expected) in cases {
            assert_eq!(said(line), expected, "{line}");
        }
    }
}
