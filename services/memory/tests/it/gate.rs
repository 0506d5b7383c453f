//! What may become a memory, and what takes whose place.

use serde_json::{Value, json};

use crate::house::{WORDS, house, read, write};

async fn outcome(house: &sanctum_testkit::House, note: Value) -> (String, Value) {
    let (status, answer) = house.send("memory", "POST", "/write", &note).await;
    assert_eq!(status, 200, "{answer}");
    (answer["outcome"].as_str().unwrap().to_owned(), answer)
}

#[tokio::test]
async fn what_is_known_secret_or_noise_is_left_out_and_said() {
    let house = house().await;
    let text = "Bert's dentist is Doctor Lamy in Namur, rue Haute 12.";
    let first = write(&house, json!({ "text": text, "agent": "yoda" })).await;
    let (same, answer) = outcome(&house, json!({ "text": text.to_uppercase(), "agent": "yoda" })).await;
    assert_eq!((same.as_str(), &answer["note"]["id"]), ("duplicate", &first["id"]));
    let near = "bert's dentist: Doctor Lamy, Namur (rue Haute 12)";
    assert_eq!(outcome(&house, json!({ "text": near, "agent": "yoda" })).await.0, "near-duplicate");
    let corrected = "Bert's dentist is Doctor Lamy in Namur, rue Haute 14.";
    assert_eq!(
        outcome(&house, json!({ "text": corrected, "agent": "yoda" })).await.0,
        "created",
        "a correction is news"
    );
    let secret = format!("the token is {}{}", "ghp_", "a1B2c3D4e5".repeat(4));
    let (left, answer) = outcome(&house, json!({ "text": secret, "agent": "yoda" })).await;
    assert!(
        left == "secret" && answer["note"].is_null() && !answer.to_string().contains("a1B2c3D4e5"),
        "{answer}"
    );
    assert_eq!(outcome(&house, json!({ "text": "HEARTBEAT_OK", "agent": "yoda" })).await.0, "boot-noise");
    // What stands in another agent's inbox is not known to this one.
    assert_eq!(outcome(&house, json!({ "text": text, "agent": "windu" })).await.0, "created");
    // A change must not bring a secret in either.
    let change = json!({ "id": first["id"], "text": secret });
    assert_eq!(outcome(&house, change).await.0, "secret");
    assert!(read(&house, first["id"].as_str().unwrap()).await["text"].as_str().unwrap().contains("Lamy"));
    house.stop().await;
}

#[tokio::test]
async fn what_was_just_recalled_to_a_session_does_not_come_back_as_new() {
    let house = house().await;
    let note = json!({ "text": "The spare key hangs behind the blue shed, third nail from the left.", "folder": "knowledge/house" });
    write(&house, note).await;
    let ask = json!({ "query": "where is the spare key?", "agent": "yoda", "session": "s1" });
    let (_, found) = house.send("memory", "POST", "/recall", &ask).await;
    assert_eq!(found["results"].as_array().unwrap().len(), 1, "{found}");
    let back = "As you told me earlier, the spare key hangs behind the blue shed.";
    let again = json!({ "text": back, "agent": "yoda", "session": "s1" });
    assert_eq!(outcome(&house, again).await.0, "recall-loop");
    let moved =
        json!({ "text": "The spare key hangs behind the red shed now.", "agent": "yoda", "session": "s1" });
    assert_eq!(outcome(&house, moved).await.0, "created", "what changed is news");
    house.stop().await;
}

#[tokio::test]
async fn an_agent_writes_so_much_an_hour_and_a_person_as_much_as_he_likes() {
    let config = format!("{WORDS}[memory.gate]\nnotes-per-hour = 3\n");
    let house = sanctum_testkit::House::new(&crate::house::CATALOGUE).config(&config).start().await;
    for i in 0..5 {
        let note = json!({ "text": format!("The cellar had {i}{i} bottles on shelf {i}."), "agent": "yoda" });
        assert_eq!(outcome(&house, note).await.0, if i < 3 { "created" } else { "quota" });
        let own = json!({ "text": format!("I counted {i} hens this morning, number {i}{i}.") });
        assert_eq!(outcome(&house, own).await.0, "created");
    }
    house.stop().await;
}

#[tokio::test]
async fn a_newer_statement_takes_the_place_of_an_older_one_but_never_of_a_persons() {
    let house = house().await;
    let phone = |number: &str| json!({ "text": format!("The dentist's phone is {number}."), "key": "dentist.phone", "agent": "yoda", "folder": "knowledge/health" });
    let old = write(&house, phone("555-0199")).await;
    let (_, answer) = outcome(&house, phone("555-0200")).await;
    assert_eq!(answer["superseded"], json!([old["id"]]));
    let before = read(&house, old["id"].as_str().unwrap()).await;
    assert_eq!(before["superseded_by"], answer["note"]["id"]);
    assert!(before["valid_until"].is_string(), "{before}");
    let own =
        write(&house, json!({ "text": "The dentist's phone is 555-0300.", "key": "dentist.phone" })).await;
    let (_, agents) = outcome(&house, phone("555-0400")).await;
    assert!(agents["superseded"].as_array().is_none_or(Vec::is_empty), "{agents}");
    let shown = read(&house, own["id"].as_str().unwrap()).await;
    assert_eq!(shown["contradicts"], json!([agents["note"]["id"]]), "both stand and both are shown");
    let (_, audit) = house.get("memory", "/audit").await;
    assert_eq!(audit["contradictions"].as_array().unwrap().len(), 1, "{audit}");
    house.stop().await;
}

#[tokio::test]
async fn sixteen_writers_of_one_key_leave_one_that_holds() {
    let house = house().await;
    let phone = |i: u32| json!({ "text": format!("The gate's code word is leek {i}."), "key": "gate.word", "agent": "yoda" });
    let all = (0..16).map(|i| {
        let (house, note) = (&house, phone(i));
        async move { house.send("memory", "POST", "/write", &note).await }
    });
    for (status, answer) in futures_util::future::join_all(all).await {
        assert_eq!((status, &answer["outcome"]), (200, &json!("created")), "{answer}");
    }
    let (_, audit) = house.get("memory", "/audit").await;
    assert_eq!(audit["contradictions"], json!([]), "{audit}");
    let (_, page) = house.get("memory", "/list?limit=100").await;
    let current =
        page["notes"].as_array().unwrap().iter().filter(|note| note["superseded_by"].is_null()).count();
    assert_eq!(current, 1);
    house.stop().await;
}

#[tokio::test]
async fn what_leaves_the_house_holds_nothing_of_health_or_money_whatever_is_asked_for() {
    let house = house().await;
    for (class, text) in [
        ("general", "Bert grows leeks in the north bed."),
        ("health", "Bert's leek allergy needs a pill."),
        ("finance", "Bert owes 400 euros for leek seeds."),
    ] {
        write(&house, json!({ "text": text, "class": class, "folder": "knowledge/bert" })).await;
    }
    let asked = async |body: Value| {
        let (status, found) = house.send("memory", "POST", "/search", &body).await;
        let classes: Vec<String> = found["results"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|hit| hit["class"].as_str().unwrap().to_owned())
            .collect();
        (status, classes, found["withheld"].clone())
    };
    assert_eq!(asked(json!({ "query": "leek bert" })).await.1.len(), 3);
    let (_, classes, withheld) = asked(json!({ "query": "leek bert", "egress": true })).await;
    assert_eq!((classes, withheld), (vec!["general".to_owned()], json!(2)));
    let (status, classes, _) =
        asked(json!({ "query": "leek bert", "egress": true, "classes": ["health"] })).await;
    assert_eq!((status, classes.len()), (422, 0));
    let recall = json!({ "agent": "yoda", "query": "leek bert", "classes": ["general"] });
    let (_, found) = house.send("memory", "POST", "/recall", &recall).await;
    assert_eq!((found["results"].as_array().unwrap().len(), &found["withheld"]), (1, &json!(2)));
    house.stop().await;
}
