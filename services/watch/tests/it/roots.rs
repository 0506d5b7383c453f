//! A chain of services: only the root is told and healed, and the others are named in it.

use sanctum_api::watch::{Stage, State};

use crate::world::{Mood, Target, all_well, calls, client, declared, incident, is, mend, new, orders, said};

fn chain() -> (String, [std::sync::Arc<Target>; 3]) {
    let targets = [Target::new(Mood::Well), Target::new(Mood::Well), Target::new(Mood::Well)];
    let services = [
        declared("a", &["b"], &targets[0].url(), ""),
        declared("b", &["c"], &targets[1].url(), ""),
        declared("c", &[], &targets[2].url(), ""),
    ];
    (services.concat(), targets)
}

/// W4: one incident names the root; who fails because of it is listed in it; one notification.
#[tokio::test]
async fn w4_one_root_is_one_notification_with_its_symptoms_inside() {
    let (services, targets) = chain();
    let house = new(&services).start().await;
    all_well(&house).await;
    for target in &targets {
        target.set(Mood::Gone);
    }
    for name in ["a", "b"] {
        is(&house, name, State::Failed).await;
    }
    let open = incident(&house, "c", "a person to be asked", |one| {
        one.stage == Stage::Escalated && one.symptoms.len() == 2
    })
    .await;
    let mut symptoms = open.symptoms.clone();
    symptoms.sort();
    assert_eq!(symptoms, ["a", "b"]);
    let told = said(&house, "the call", |told| !calls(told).is_empty()).await;
    assert_eq!(calls(&told).len(), 1, "{told:?}");
    assert!(told.iter().all(|one| one.notice.labels["service"] == "c"), "{told:?}");
    let all = client(&house).incidents(1).await.unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(orders(house.home()).iter().all(|order| order.ends_with(" c")), "{:?}", orders(house.home()));
    let why = client(&house).why("a").await.unwrap();
    let chain: Vec<&str> = why.chain.iter().map(|link| link.service.as_str()).collect();
    assert_eq!(chain, ["a", "b", "c"]);
    assert!(
        why.sentence.starts_with("a has failed for ") && why.sentence.contains("because c does"),
        "{}",
        why.sentence
    );
    for target in &targets {
        target.set(Mood::Well);
    }
    incident(&house, "c", "it to be over", |one| one.stage == Stage::Resolved).await;
    all_well(&house).await;
    let told = said(&house, "its end", |told| told.iter().any(|one| one.notice.resolved)).await;
    assert_eq!(calls(&told).len(), 1, "{told:?}");
    house.stop().await;
}

/// W6: what still fails when its root is well again becomes an incident of its own.
#[tokio::test]
async fn w6_who_stays_down_after_its_root_has_an_incident_of_its_own() {
    let (services, targets) = chain();
    let stopped = new(&services);
    mend(stopped.home(), "c", &targets[2], 1);
    let house = stopped.start().await;
    all_well(&house).await;
    for target in &targets {
        target.set(Mood::Gone);
    }
    incident(&house, "c", "the root to be healed", |one| one.stage == Stage::Resolved).await;
    let own = incident(&house, "b", "its own incident", |one| one.stage == Stage::Escalated).await;
    let mut restarts = own.tried.iter().filter(|tried| tried.action.starts_with("restart"));
    assert!(restarts.all(|tried| tried.action.starts_with("restart b")), "{:?}", own.tried);
    house.stop().await;
}
