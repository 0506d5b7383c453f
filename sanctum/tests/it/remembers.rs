//! The memory of the house behind its proxy: what was said yesterday is in today's prompt, and what is private stays at home.

use std::time::Duration;

use jiff::SignedDuration;
use sanctum_cli::CATALOGUE;
use sanctum_kernel::Clock;
use sanctum_testkit::provider::{Provider, Reply};
use sanctum_testkit::{House, Stopped, eventually};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

/// A provider outside of the house and one in it.
struct World {
    cloud: Provider,
    local: Provider,
}

impl World {
    fn new() -> Self {
        Self { cloud: Provider::start(), local: Provider::start() }
    }

    fn house(&self) -> Stopped {
        self.house_with("")
    }

    fn house_with(&self, more: &str) -> Stopped {
        let (cloud, local) = (self.cloud.url(), self.local.url());
        let config = format!(
            r#"
[memory.recall]
meaning = false
[proxy.recall]
recall = true
ingest = true
[proxy.provider.cloud]
kind = "openai"
base-url = "{cloud}/v1"
auth = "none"
[proxy.provider.local]
kind = "openai"
base-url = "{local}/v1"
auth = "none"
locality = "local"
[proxy.model.standard]
provider = "cloud"
tier = "standard"
price = {{ input = 1.0, output = 5.0 }}
[proxy.model.small]
provider = "local"
tier = "small"
{more}"#
        );
        let clock = Clock::starting_at("2026-11-21T18:00:00Z".parse().unwrap());
        House::new(&CATALOGUE).only(&["notify", "memory", "proxy"]).config(&config).clock(clock)
    }
}

/// Says something to a model, and waits until memory has read it: so many exchanges were told in all.
async fn say(house: &House, model: &str, text: &str) {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": text }] });
    let (status, answer) = house.send("proxy", "POST", "/v1/chat/completions", &body).await;
    assert_eq!(status, 200, "{answer}");
}

async fn notes(house: &House) -> Vec<Value> {
    let (_, page) = house.get("memory", "/list?limit=1000").await;
    page["notes"].as_array().unwrap().clone()
}

async fn until_notes(house: &House, count: usize) -> Vec<Value> {
    eventually("what was said to be a note", PATIENCE, async || {
        let notes = notes(house).await;
        let (_, state) = house.get("memory", "/state").await;
        (notes.len() >= count && state["queued"] == 0).then_some(notes)
    })
    .await
}

/// Asks until something that is remembered goes along: recall that is slow on a busy machine is done without.
async fn asked(house: &House, provider: &Provider, model: &str, text: &str) -> String {
    eventually("memories to go with a request", PATIENCE, async || {
        say(house, model, text).await;
        let sent = provider.last().json().to_string();
        sent.contains("<memories>").then_some(sent)
    })
    .await
}

#[tokio::test]
async fn what_was_said_yesterday_is_in_todays_prompt_and_comes_back_only_once() {
    let world = World::new();
    let house = world.house().start().await;
    world.cloud.always("*", Reply::text("Noted."));
    say(&house, "standard", "My sister Chloé moves to Liège with her two donkeys in March.").await;
    until_notes(&house, 1).await;
    house.clock().step(SignedDuration::from_hours(20));
    world.cloud.always(
        "*",
        Reply::text(
            "As you told me earlier, your sister Chloé moves to Liège with her two donkeys in March.",
        ),
    );
    let sent = asked(&house, &world.cloud, "standard", "Where does Chloé move with the donkeys?").await;
    assert!(sent.contains("her two donkeys in March"), "{sent}");
    // The answer was recalled text: it is told, and no note comes of it.
    say(&house, "standard", "The postman comes at noon on Thursdays.").await;
    let all = until_notes(&house, 2).await;
    let about = all.iter().filter(|note| note["title"].as_str().unwrap().contains("Chloé")).count();
    assert_eq!((all.len(), about), (2, 1), "{all:?}");
    house.stop().await;
}

#[tokio::test]
async fn health_stays_in_the_house() {
    let world = World::new();
    let house = world.house().start().await;
    world.local.always("*", Reply::text("Noted."));
    world.cloud.always("*", Reply::text("Noted."));
    say(&house, "small", "My blood pressure is high and I take metformin for my diabetes at the lake house.")
        .await;
    say(&house, "standard", "The lake house has a blue boat that needs new paint.").await;
    let all = until_notes(&house, 2).await;
    let classes: Vec<&str> = all.iter().map(|note| note["class"].as_str().unwrap()).collect();
    assert!(classes.contains(&"health") && classes.contains(&"general"), "{classes:?}");
    let sent = asked(&house, &world.cloud, "standard", "What is there to do at the lake house?").await;
    assert!(
        sent.contains("blue boat") && !sent.contains("metformin") && !sent.contains("diabetes"),
        "{sent}"
    );
    let sent = asked(&house, &world.local, "small", "My diabetes: what do I take at the lake house?").await;
    assert!(sent.contains("metformin"), "in the house everything is remembered: {sent}");
    for seen in world.cloud.requests() {
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        assert!(!body.contains("metformin"), "{body}");
    }
    house.stop().await;
}

#[tokio::test]
async fn a_restart_between_telling_and_reading_loses_nothing_and_doubles_nothing() {
    let world = World::new();
    let mut house = world.house().start().await;
    world.cloud.always("*", Reply::text("I will keep that in mind."));
    for round in 0..3 {
        for i in 0..3 {
            say(
                &house,
                "standard",
                &format!("Apiary record {round}{i}: hive {i} gave {round}{i}7 grams of honey."),
            )
            .await;
        }
        house = house.stop().await.start().await;
    }
    let all = until_notes(&house, 9).await;
    assert_eq!(all.len(), 9, "{all:?}");
    house.stop().await;
}

#[tokio::test]
async fn a_model_of_the_house_adds_tags_and_names_that_are_there_and_nothing_leaves() {
    let world = World::new();
    let more = "[memory]\nconsolidate-every = \"0s\"\n[memory.consolidation]\npromote-after = \"0s\"\nmodel = \"small\"\n";
    let house = world.house_with(more).start().await;
    let said =
        r#"{"tags": ["Heating"], "names": ["Marc Dubois", "Viessmann"], "summary": "He is paid 450 euros."}"#;
    world.local.always("*", Reply::text(said));
    let write = async |text: &str| {
        let note = json!({ "text": text, "agent": "yoda", "type": "semantic", "class": "health" });
        let (status, written) = house.send("memory", "POST", "/write", &note).await;
        assert_eq!(status, 200, "{written}");
        written["note"]["id"].as_str().unwrap().to_owned()
    };
    let pass = async || {
        let (status, report) = house.send("memory", "POST", "/consolidate?apply=true", &Value::Null).await;
        assert_eq!((status, &report["troubles"]), (200, &json!([])), "{report}");
        report["run"].as_str().unwrap().to_owned()
    };
    let part = async |words: &str| {
        eventually("the model to have been asked", PATIENCE, async || {
            let (_, health) = house.get("memory", "/health").await;
            let detail = health["parts"]["enrichment"]["detail"].as_str().unwrap_or_default();
            (health["status"] == "well" && detail.contains(words)).then_some(())
        })
        .await;
    };
    let note = async |id: &str| house.get("memory", &format!("/read/{id}")).await.1;

    let boiler = write("Marc Dubois takes care of the boiler in Dinant since my operation.").await;
    let run = pass().await;
    part(&format!("{run}: small was asked about 1 notes")).await;
    let read = note(&boiler).await;
    assert_eq!((&read["tags"], &read["entities"]), (&json!(["heating"]), &json!(["Marc Dubois"])), "{read}");
    // It is asked once, what it was asked is no talk to remember, and none of it left.
    let again = pass().await;
    part(&format!("{again}: small was asked about 0 notes")).await;
    assert_eq!((world.local.requests().len(), world.cloud.requests().len()), (1, 0));
    let (_, state) = house.get("memory", "/state").await;
    assert_eq!(state["queued"], 0);

    let (status, undone) = house.send("memory", "POST", &format!("/undo/{run}"), &Value::Null).await;
    assert_eq!(status, 200, "{undone}");
    let back = note(&boiler).await;
    assert!(back["entities"].is_null() || back["entities"] == json!([]), "{back}");
    assert!(back["path"].as_str().unwrap().starts_with("inbox/"), "{back}");

    // A model that fails is done without.
    world.local.always("*", Reply::fault("500"));
    let saw = write("The saw hangs by the door of the shed.").await;
    pass().await;
    part("done without").await;
    assert!(note(&saw).await["path"].as_str().unwrap().starts_with("knowledge/"));
    house.stop().await;
}
