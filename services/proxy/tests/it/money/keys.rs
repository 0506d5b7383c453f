//! Virtual keys: shown once, known again, refused without a hint.

use jiff::SignedDuration;
use sanctum_api::proxy::{NewKey, ShownKey};
use sanctum_kernel::Clock;
use sanctum_proxy::keys::{self, Denied, Keys, SCHEMA, Scope};
use sanctum_store::Db;

use super::{NOON, clock};

async fn open(dir: &std::path::Path, clock: &Clock) -> Keys {
    let db = Db::open(&dir.join("proxy.db"), &[SCHEMA]).unwrap();
    Keys::open(db, clock.clone()).await.unwrap()
}

fn new(agent: &str) -> NewKey {
    NewKey { agent: agent.to_owned(), ..NewKey::default() }
}

#[tokio::test]
async fn a_key_is_shown_once_and_kept_as_a_hash() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock(NOON);
    let keys = open(dir.path(), &clock).await;
    let made = keys::create(&keys, NewKey { note: "desk".to_owned(), ..new("windu") }).await.unwrap();
    assert_eq!(made.secret.len(), "sk-sanctum-".len() + 43);
    assert!(made.secret.starts_with(&made.key.prefix) && made.key.prefix.len() < 16, "{}", made.key.prefix);
    let other = keys::create(&keys, new("windu")).await.unwrap();
    assert_ne!((&other.secret, &other.key.id), (&made.secret, &made.key.id));
    drop(keys);
    let keys = open(dir.path(), &clock).await;
    let admitted = keys.admit(&made.secret).unwrap();
    assert_eq!((admitted.agent(), admitted.id()), ("windu", made.key.id.as_str()));
    assert_eq!(keys::list(&keys).len(), 2);
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let secret = made.secret.strip_prefix(&made.key.prefix).unwrap().as_bytes();
        assert!(
            !bytes.windows(secret.len()).any(|window| window == secret),
            "the secret is nowhere on the disk"
        );
    }
}

#[tokio::test]
async fn unknown_expired_and_revoked_are_told_apart_in_the_log_only() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock(NOON);
    let keys = open(dir.path(), &clock).await;
    let expires = clock.now() + SignedDuration::from_hours(1);
    let short = keys::create(&keys, NewKey { expires: Some(expires), ..new("windu") }).await.unwrap();
    let gone = keys::create(&keys, new("yoda")).await.unwrap();
    keys.admit(&short.secret).unwrap();
    keys.admit(&gone.secret).unwrap();
    let revoked = keys::revoke(&keys, &gone.key.id).await.unwrap();
    assert!(revoked.revoked.is_some());
    let again = keys::revoke(&keys, &gone.key.id).await.unwrap();
    assert_eq!(again.revoked, revoked.revoked, "it stays as it was");
    clock.step(SignedDuration::from_hours(1));
    for round in 0..2 {
        let keys = if round == 0 { keys.clone() } else { open(dir.path(), &clock).await };
        assert!(matches!(keys.admit(&short.secret), Err(Denied::Expired(key)) if key.agent() == "windu"));
        assert!(matches!(keys.admit(&gone.secret), Err(Denied::Revoked(key)) if key.agent() == "yoda"));
        let almost = format!("{}*", short.secret.get(..short.secret.len() - 1).unwrap());
        for unknown in ["", "sk-sanctum-", &almost, &short.key.prefix, &"x".repeat(1 << 20)] {
            assert!(matches!(keys.admit(unknown), Err(Denied::Unknown)), "{round}");
        }
    }
    let missing = keys::revoke(&keys, "key-none").await.unwrap_err();
    assert_eq!((missing.0.status, missing.0.value.as_deref()), (404, Some("key-none")));
}

#[tokio::test]
async fn scopes_and_models_narrow_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let keys = open(dir.path(), &clock(NOON)).await;
    let narrow = NewKey {
        scopes: vec!["models".to_owned(), "chat".to_owned(), "chat".to_owned()],
        models: vec!["claude-*".to_owned(), "fast".to_owned()],
        ..new("windu")
    };
    let narrow = keys::create(&keys, narrow).await.unwrap();
    assert_eq!(narrow.key.scopes, ["chat", "models"]);
    let wide = keys::create(&keys, new("windu")).await.unwrap();
    let (narrow, wide) = (keys.admit(&narrow.secret).unwrap(), keys.admit(&wide.secret).unwrap());
    assert_eq!(Scope::ALL.map(|scope| narrow.may(scope)), [true, false, true, false, false, false]);
    assert!(Scope::ALL.into_iter().all(|scope| wide.may(scope)));
    assert!(narrow.may_ask("claude-opus-4-5") && narrow.may_ask("fast") && !narrow.may_ask("faster"));
    assert!(wide.may_ask("anything"));
}

#[tokio::test]
async fn another_service_learns_whose_a_key_is_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let keys = open(dir.path(), &clock(NOON)).await;
    let chat = keys::create(&keys, NewKey { scopes: vec!["chat".to_owned()], ..new("windu") }).await.unwrap();
    let wide = keys::create(&keys, new("yoda")).await.unwrap();
    let ask = |secret: &str, scope: &str| {
        let shown = ShownKey { secret: secret.to_owned(), scope: scope.to_owned() };
        keys::holder(&keys, &shown).map(|holder| holder.agent)
    };
    assert_eq!(ask(&wide.secret, "memory").unwrap().as_deref(), Some("yoda"));
    assert_eq!(ask(&chat.secret, "memory").unwrap(), None);
    assert_eq!(ask(&chat.secret, "chat").unwrap().as_deref(), Some("windu"));
    assert_eq!(ask("sk-sanctum-nobody", "chat").unwrap(), None);
    keys::revoke(&keys, &wide.key.id).await.unwrap();
    assert_eq!(ask(&wide.secret, "memory").unwrap(), None);
    assert_eq!(ask(&chat.secret, "everything").unwrap_err().0.field.as_deref(), Some("scope"));
    let shown = ShownKey { secret: "sk-sanctum-secret".to_owned(), scope: "chat".to_owned() };
    assert!(!format!("{shown:?}").contains("sk-sanctum"), "a log must not have it");
}

#[tokio::test]
async fn a_wrong_key_names_its_field() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock(NOON);
    let keys = open(dir.path(), &clock).await;
    let past = clock.now() - SignedDuration::from_secs(1);
    let list = |word: &str| vec!["chat".to_owned(), word.to_owned()];
    let mut said = String::new();
    for wrong in [
        new(" "),
        new("two\nlines"),
        NewKey { note: "x".repeat(1025), ..new("windu") },
        NewKey { scopes: list("admin"), ..new("windu") },
        NewKey { models: list(""), ..new("windu") },
        NewKey { models: vec!["m".to_owned(); 65], ..new("windu") },
        NewKey { expires: Some(past), ..new("windu") },
    ] {
        let problem = keys::create(&keys, wrong).await.unwrap_err().0;
        let (field, allowed) = (problem.field.unwrap(), problem.allowed.unwrap());
        said.push_str(&format!("{} {field}: {allowed}\n", problem.status));
    }
    insta::assert_snapshot!(said);
    assert!(keys::list(&keys).is_empty());
}

#[tokio::test]
async fn the_last_use_is_written_in_its_own_time() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock(NOON);
    let keys = open(dir.path(), &clock).await;
    let made = keys::create(&keys, new("windu")).await.unwrap();
    assert_eq!(keys::list(&keys)[0].last_used, None);
    let (stopper, stop) = sanctum_kernel::stop::channel();
    let keeping = keys.clone().keep(stop);
    let using = async {
        clock.step(SignedDuration::from_mins(5));
        keys.admit(&made.secret).unwrap();
        let used = keys::list(&keys)[0].last_used.unwrap();
        assert!(used >= made.key.created + SignedDuration::from_mins(5));
        stopper.stop().await;
        used
    };
    let (kept, used) = tokio::join!(keeping, using);
    kept.unwrap();
    drop(keys);
    let keys = open(dir.path(), &clock).await;
    assert_eq!(keys::list(&keys)[0].last_used, Some(used), "what was used before the end is known after it");
}
