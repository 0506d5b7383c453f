//! SIGKILL at any instant, while sixteen writers write: what was acknowledged is there, no file is torn, and the index
//! agrees with the files.

use std::collections::BTreeMap;
use std::time::Duration;

use sanctum_http::{Outbound, Outgoing};
use sanctum_kernel::peers::read_token;
use sanctum_kernel::{Paths, files};
use sanctum_testkit::apart::{self, Apart};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::house::{CATALOGUE, PATIENCE, WORDS};

const WRITERS: usize = 16;
/// The test of every day; `SANCTUM_MEMORY_KILLS=200` is a long one.
const KILLS: usize = 12;

/// The service itself, when this binary is run again as the child; nothing otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    apart::serve(&CATALOGUE, &["memory"]).await;
}

struct House {
    home: tempfile::TempDir,
    port: u16,
    child: Option<Apart>,
}

impl House {
    fn new(more: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let port = sanctum_testkit::port();
        let config = format!("{WORDS}{more}[listen]\nmemory = \"127.0.0.1:{port}\"\n");
        files::replace(&home.path().join("sanctum.toml"), config.as_bytes(), 0o600).unwrap();
        Self { home, port, child: None }
    }

    async fn start(&mut self) {
        self.child = Some(Apart::begin("crash::child", self.home.path()));
        sanctum_testkit::eventually("the memory to be ready", PATIENCE, async || {
            let answer = ask(self.port, String::new(), "GET", "/ready", Vec::new()).await;
            answer.is_some_and(|(status, _)| status == 200).then_some(())
        })
        .await;
    }

    fn kill(&mut self) {
        self.child = None;
    }

    fn token(&self) -> String {
        read_token(&Paths::new(self.home.path()), "cli", "memory").unwrap().expose_secret().to_owned()
    }

    async fn get(&self, path: &str) -> Value {
        let (status, answer) = ask(self.port, self.token(), "GET", path, Vec::new()).await.unwrap();
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

async fn ask(
    port: u16,
    token: String,
    method: &'static str,
    path: &str,
    body: Vec<u8>,
) -> Option<(u16, Value)> {
    let headers = vec![("authorization".to_owned(), format!("Bearer {token}"))];
    let url = format!("http://127.0.0.1:{port}{path}");
    let outgoing = Outgoing { method, url, headers, body, timeout: Duration::from_secs(10) };
    let answer = Outbound::default().send(outgoing).await.ok()?;
    Some((answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_and_nothing_is_torn() {
    let mut house = House::new("");
    // Path and text of what was acknowledged last; what was sent and not answered may be there or not.
    let mut kept: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let kills = std::env::var("SANCTUM_MEMORY_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    for round in 0..kills {
        house.start().await;
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (port, token) = (house.port, house.token());
            writers.spawn(async move { write_on(port, token, round, writer).await });
        }
        let [chance] = sanctum_kernel::trace::random::<1>();
        tokio::time::sleep(Duration::from_millis(20 + 2 * u64::from(chance))).await;
        house.kill();
        for (id, texts) in writers.join_all().await.into_iter().flatten() {
            kept.insert(id, texts);
        }
    }
    house.start().await;
    assert!(kept.len() > kills, "there was a load: {}", kept.len());
    println!("{kills} kills, {} notes acknowledged", kept.len());
    for (id, texts) in &kept {
        let note = house.get(&format!("/read/{id}")).await;
        let text = note["text"].as_str().unwrap().trim_end().to_owned();
        // The last acknowledged text, or the one that was under way.
        assert!(texts.contains(&text), "{id}: `{text}` is none of {texts:?}");
    }
    consistent(&house).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_that_is_killed_again_and_again_comes_to_its_end_and_loses_nothing() {
    const NOTES: usize = 150;
    let mut house =
        House::new("[memory]\nconsolidate-every = \"0s\"\n[memory.consolidation]\npromote-after = \"0s\"\n");
    house.start().await;
    let mut texts = BTreeMap::new();
    for number in 0..NOTES {
        let text =
            format!("Beehive {number} stands in row {} and gave {} grams.", number % 7, number * 13 + 5);
        let body =
            json!({ "text": text, "agent": "yoda", "type": "semantic", "title": format!("Hive {number}") });
        let sent = ask(house.port, house.token(), "POST", "/write", body.to_string().into_bytes()).await;
        let (status, answer) = sent.unwrap();
        assert_eq!(status, 200, "{answer}");
        texts.insert(answer["note"]["id"].as_str().unwrap().to_owned(), text);
    }
    let pass = |house: &House| ask(house.port, house.token(), "POST", "/consolidate?apply=true", Vec::new());
    let mut cut = 0;
    for _ in 0..KILLS {
        let mut running = JoinSet::new();
        running.spawn(pass(&house));
        let [chance] = sanctum_kernel::trace::random::<1>();
        tokio::time::sleep(Duration::from_millis(u64::from(chance))).await;
        house.kill();
        cut += usize::from(running.join_all().await == [None]);
        house.start().await;
    }
    assert!(cut > 0, "it was killed in the middle at least once");
    let (status, last) = pass(&house).await.unwrap();
    assert_eq!((status, &last["troubles"]), (200, &json!([])), "{last}");
    for (id, text) in &texts {
        let note = house.get(&format!("/read/{id}")).await;
        assert_eq!(note["text"].as_str().unwrap().trim_end(), text);
        assert!(note["path"].as_str().unwrap().starts_with("knowledge/"), "{note}");
    }
    consistent(&house).await;
}

/// Writes notes, each changed once, until nobody answers: ids, with the texts each may have.
async fn write_on(port: u16, token: String, round: usize, writer: usize) -> Vec<(String, Vec<String>)> {
    let mut kept = Vec::new();
    for number in 0.. {
        let text =
            format!("Round {round}, writer {writer}, number {number}: {}", "padding ".repeat(writer * 40));
        let text = text.trim_end().to_owned();
        let body = json!({ "text": text, "folder": format!("knowledge/{}", writer % 4), "title": format!("Same {number}") });
        let Some((200, answer)) =
            ask(port, token.clone(), "POST", "/write", body.to_string().into_bytes()).await
        else {
            break;
        };
        let Some(id) = answer["note"]["id"].as_str().filter(|_| answer["outcome"] == "created") else {
            continue;
        };
        let other = format!("Changed: {text}");
        kept.push((id.to_owned(), vec![text, other.clone()]));
        let body = json!({ "id": id, "version": answer["note"]["version"], "text": other });
        let changed = ask(port, token.clone(), "POST", "/write", body.to_string().into_bytes()).await;
        let Some((200, _)) = changed else { break };
        if let Some((_, texts)) = kept.last_mut() {
            texts.remove(0);
        }
    }
    kept
}

/// Every file is a whole note, the index knows each and no other, and nothing unfinished lies about.
async fn consistent(house: &House) {
    let vault = house.home.path().join("vault");
    let mut files = Vec::new();
    let mut folders = vec![vault.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name == ".git" {
                continue;
            }
            assert!(!name.starts_with('.'), "something unfinished is left: {}", path.display());
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("---\nid: n-") && text.ends_with('\n'), "torn: {}", path.display());
            files.push(path.strip_prefix(&vault).unwrap().to_str().unwrap().to_owned());
        }
    }
    files.sort();
    let mut known = Vec::new();
    let mut path = "/list?limit=1000".to_owned();
    loop {
        let page = house.get(&path).await;
        for note in page["notes"].as_array().unwrap() {
            assert!(note.get("trouble").is_none(), "{note}");
            known.push(note["path"].as_str().unwrap().to_owned());
        }
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/list?limit=1000&cursor={next}");
    }
    known.sort();
    assert_eq!(known, files);
}
