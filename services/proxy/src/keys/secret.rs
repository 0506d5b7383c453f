//! The secret of a key: how it is made, shown once, and known again.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// What every secret begins with, so that people and scanners of leaked keys know one.
pub(crate) const PREFIX: &str = "sk-sanctum-";
/// Random bytes: as many as the hash is wide.
const BYTES: usize = 32;
/// Characters of a secret that are kept to recognise it by: its prefix and 24 of its 256 bits.
const SHOWN: usize = PREFIX.len() + 4;
/// No secret of ours is longer; a longer one is not worth a hash.
const LONGEST: usize = 256;

/// SHA-256 of a secret.
pub(crate) type Hash = [u8; 32];

/// A new secret; `None` when the system has no randomness to give, because a weak one is worse than none.
pub(crate) fn generate() -> Option<String> {
    let mut bytes = [0; BYTES];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}

/// The beginning of a secret, as lists show it.
pub(crate) fn shown(secret: &str) -> String {
    secret.chars().take(SHOWN).collect()
}

pub(crate) fn hash(secret: &str) -> Option<Hash> {
    if secret.len() > LONGEST {
        return None;
    }
    digest(&SHA256, secret.as_bytes()).as_ref().try_into().ok()
}
