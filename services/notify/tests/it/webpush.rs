//! Web Push: a push service that verifies the token, and a browser that decrypts the message.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use ring::{aead, agreement, hkdf};
use serde_json::{Value, json};

use crate::house::{NOON, all, house, notice, say, until, with};
use crate::peers::hook::{Got, Hook, Mood};

const CONFIG: &str = "[notify.channel.webpush.push]\ncontact = \"mailto:ann@example.org\"\nopen = \"https://sanctum.example.org/\"\n[notify.delivery]\nfirst-wait = \"50ms\"\nbreaker-open = \"100ms\"\n";

/// The receiver of one message: its private key can be used once.
struct Browser {
    private: agreement::EphemeralPrivateKey,
    public: Vec<u8>,
    auth: [u8; 16],
}

impl Browser {
    fn new() -> Self {
        let private =
            agreement::EphemeralPrivateKey::generate(&agreement::ECDH_P256, &SystemRandom::new()).unwrap();
        let public = private.compute_public_key().unwrap().as_ref().to_vec();
        Self { private, public, auth: sanctum_kernel::trace::random() }
    }

    fn subscription(&self, endpoint: &str) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "endpoint": endpoint, "expirationTime": null, "keys": { "p256dh": encode(&self.public), "auth": encode(&self.auth) }, "who": "ann" })
    }

    /// RFC 8291 and RFC 8188, from the receiver's side.
    fn open(self, body: &[u8]) -> Value {
        let (salt, rest) = body.split_at(16);
        assert_eq!(rest[..4], 4096_u32.to_be_bytes());
        let (theirs, sealed) = rest[5..].split_at(usize::from(rest[4]));
        let peer = agreement::UnparsedPublicKey::new(&agreement::ECDH_P256, theirs);
        let (public, auth) = (self.public, self.auth);
        let ikm = agreement::agree_ephemeral(self.private, &peer, |secret| {
            derive(&auth, secret, &[b"WebPush: info\0", &public, theirs], 32)
        })
        .unwrap();
        let key = derive(salt, &ikm, &[b"Content-Encoding: aes128gcm\0"], 16);
        let nonce = derive(salt, &ikm, &[b"Content-Encoding: nonce\0"], 12);
        let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_128_GCM, &key).unwrap());
        let nonce = aead::Nonce::try_assume_unique_for_key(&nonce).unwrap();
        let mut sealed = sealed.to_vec();
        let text = key
            .open_in_place(nonce, aead::Aad::empty(), &mut sealed)
            .expect("the message is sealed for this browser");
        let (delimiter, text) = text.split_last().unwrap();
        assert_eq!(*delimiter, 2);
        serde_json::from_slice(text).unwrap()
    }
}

struct Length(usize);
impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive(salt: &[u8], secret: &[u8], info: &[&[u8]], length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(secret)
        .expand(info, Length(length))
        .unwrap()
        .fill(&mut out)
        .unwrap();
    out
}

/// RFC 8292: the token is signed by the key it names, for this origin, and not for longer than a day.
fn verify(got: &Got, key: &str, origin: &str, now: i64) {
    let header = got.header("authorization");
    let (token, named) = header.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
    assert_eq!(named, key);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let public = URL_SAFE_NO_PAD.decode(named).unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, public)
        .verify(signed.as_bytes(), &signature)
        .expect("a good signature");
    let (head, claims) = signed.split_once('.').unwrap();
    let part = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    assert_eq!(part(head), json!({ "typ": "JWT", "alg": "ES256" }));
    let claims = part(claims);
    assert_eq!((&claims["aud"], &claims["sub"]), (&json!(origin), &json!("mailto:ann@example.org")));
    let left = claims["exp"].as_i64().unwrap() - now;
    assert!(0 < left && left <= 86_400, "{left}");
}

#[tokio::test]
async fn a_push_is_authorized_sealed_and_shown() {
    let hook = Hook::open().await;
    hook.mood(Mood::Status(201));
    hook.mood(Mood::Says(201, vec![], String::new()));
    let house = house(NOON, CONFIG).await;
    let browser = Browser::new();
    let origin = format!("http://{}", hook.addr);
    let subscription = browser.subscription(&format!("{origin}/push/abc"));
    let (status, key) = house.send("notify", "POST", "/push/subscriptions", &subscription).await;
    assert_eq!(status, 201, "{key}");
    let said =
        say(&house, with(notice("critical", "Café open"), json!({ "message": "long ".repeat(2000) }))).await;
    assert_eq!(said["channels"], json!(["push", "dashboard"]), "without roles, Web Push is the phone");
    let got = hook.wait(1).await[0].clone();
    verify(&got, key["key"].as_str().unwrap(), &origin, house.clock().now().as_second());
    assert_eq!(
        [got.header("content-encoding"), got.header("urgency"), got.path.clone()],
        ["aes128gcm", "high", "/push/abc"]
    );
    assert!(got.header("ttl").parse::<u32>().unwrap() > 0 && got.header("topic").len() <= 32);
    assert!(got.body.len() <= 4096, "push services take no more");
    let shown = browser.open(&got.body);
    assert_eq!(shown["web_push"], 8030);
    assert_eq!(
        (&shown["notification"]["title"], &shown["notification"]["navigate"]),
        (&json!("Café open"), &json!("https://sanctum.example.org/"))
    );
    until(&house, &said["id"], "delivered", |life| all(life, "push", "delivered")).await;
    let stopped = house.stop().await;
    let house = stopped.start().await;
    assert_eq!(house.get("notify", "/push/key").await.1["key"], key["key"], "the key is for life");
    house.stop().await;
}

#[tokio::test]
async fn a_subscription_that_is_gone_is_dropped() {
    let hook = Hook::open().await;
    hook.mood(Mood::Status(410));
    let house = house(NOON, CONFIG).await;
    let subscription = Browser::new().subscription(&format!("http://{}/push/abc", hook.addr));
    house.send("notify", "POST", "/push/subscriptions", &subscription).await;
    let said = say(&house, notice("error", "n")).await;
    until(&house, &said["id"], "unavailable", |life| all(life, "push", "dead")).await;
    let (_, test) = house.send("notify", "POST", "/channels/push/test", &Value::Null).await;
    assert!(test["outcome"].as_str().unwrap().contains("no browser has subscribed"), "{test}");
    let wrong = with(subscription, json!({ "keys": { "p256dh": "AAAA", "auth": "AAAA" } }));
    let (status, problem) = house.send("notify", "POST", "/push/subscriptions", &wrong).await;
    assert_eq!((status, &problem["field"]), (422, &json!("keys")));
    house.stop().await;
}
