//! Sixteen writers at once: no update is lost, no file is torn, no name is given twice.

use std::collections::{BTreeMap, BTreeSet};

use sanctum_api::memory::{Client, Outcome, Write};
use tokio::task::JoinSet;

use crate::house::{house, list, read, until_clean, vault};

const WRITERS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_writers_who_compare_and_set_lose_nothing() {
    const EACH: usize = 10;
    let house = house().await;
    let client = Client::new(house.transport("memory"));
    let start = Write {
        text: "start".into(),
        folder: Some("knowledge".into()),
        title: Some("Shared".into()),
        ..Write::default()
    };
    let id = client.write(&start).await.unwrap().note.unwrap().id;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (client, id) = (client.clone(), id.clone());
        writers.spawn(async move {
            for line in 0..EACH {
                loop {
                    let note = client.read(&id).await.unwrap();
                    let text = format!("{}writer {writer} line {line}\n", note.text);
                    let write = Write {
                        id: Some(id.clone()),
                        version: Some(note.head.version),
                        text,
                        ..Write::default()
                    };
                    match client.write(&write).await {
                        Ok(_) => break,
                        Err(error) => {
                            assert_eq!(error.problem().map(|problem| problem.status), Some(409), "{error}");
                        }
                    }
                }
            }
        });
    }
    writers.join_all().await;
    let text = read(&house, &id).await["text"].as_str().unwrap().to_owned();
    let lines: BTreeSet<&str> = text.lines().filter(|line| line.starts_with("writer")).collect();
    assert_eq!(lines.len(), WRITERS * EACH, "every line is there");
    assert_eq!(text.lines().filter(|line| line.starts_with("writer")).count(), WRITERS * EACH, "and once");
    until_clean(&vault(&house)).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_writers_of_one_title_make_as_many_files() {
    const EACH: usize = 8;
    let house = house().await;
    let client = Client::new(house.transport("memory"));
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let client = client.clone();
        writers.spawn(async move {
            let mut kept = Vec::new();
            for number in 0..EACH {
                let text = format!(
                    "What writer {writer} says for the {number}th time about topic {}.",
                    writer * 100 + number
                );
                let write = Write {
                    text: text.clone(),
                    folder: Some("knowledge".into()),
                    title: Some("Same".into()),
                    ..Write::default()
                };
                let written = client.write(&write).await.unwrap();
                if written.outcome == Outcome::Created {
                    kept.push((written.note.unwrap().path, text));
                }
            }
            kept
        });
    }
    let kept: Vec<(String, String)> = writers.join_all().await.into_iter().flatten().collect();
    let by_path: BTreeMap<&str, &str> = kept.iter().map(|(path, text)| (&**path, &**text)).collect();
    assert_eq!(by_path.len(), kept.len(), "no path is given twice");
    for (path, text) in &by_path {
        let file = std::fs::read_to_string(vault(&house).join(path)).unwrap();
        assert!(file.ends_with(&format!("\n{text}\n")), "{path}: {file}");
    }
    assert_eq!(list(&house, "&folder=knowledge").await.len(), kept.len());
    house.stop().await;
}
