//! Sealing a push message: VAPID (RFC 8292) and message encryption (RFC 8291, RFC 8188).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use ring::{aead, agreement, hkdf};
use serde_json::json;

/// Why a message could not be sealed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    #[error("the subscription's keys are not usable")]
    Keys,
    #[error("the message is too long for a push: {0} bytes")]
    Long(usize),
    #[error("the system has no randomness to give")]
    Chance,
}

/// One record of 4096 bytes (RFC 8291 §4): 86 of header, 16 of tag, 1 of delimiter are not text.
pub(crate) const LONGEST: usize = 4096 - 86 - 16 - 1;
const RECORD: u32 = 4096;

/// The key pair of a sender. A subscription is bound to it for life.
pub(crate) struct Vapid(EcdsaKeyPair);

impl std::fmt::Debug for Vapid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vapid({})", self.public())
    }
}

impl Vapid {
    /// A new key, as PKCS#8.
    pub(crate) fn generate() -> Result<Vec<u8>, SealError> {
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        key.map(|key| key.as_ref().to_vec()).map_err(|_| SealError::Chance)
    }

    pub(crate) fn load(pkcs8: &[u8]) -> Result<Self, SealError> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &SystemRandom::new()).map(Self).map_err(|_| SealError::Keys)
    }

    /// The `applicationServerKey`, base64url.
    pub(crate) fn public(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.public_key().as_ref())
    }

    /// The `Authorization` header for one push service until `expires` (Unix seconds, at most 24 h ahead).
    pub(crate) fn authorize(&self, origin: &str, contact: &str, expires: i64) -> Result<String, SealError> {
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let head = part(json!({ "typ": "JWT", "alg": "ES256" }));
        let claims = part(json!({ "aud": origin, "exp": expires, "sub": contact }));
        let signed = format!("{head}.{claims}");
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|_| SealError::Chance)?;
        Ok(format!("vapid t={signed}.{}, k={}", URL_SAFE_NO_PAD.encode(signature.as_ref()), self.public()))
    }
}

/// The receiver's side of a subscription.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) p256dh: Vec<u8>,
    pub(crate) auth: Vec<u8>,
}

impl Keys {
    /// From base64url, padded or not; the public key is an uncompressed point, the secret 16 bytes.
    pub(crate) fn read(p256dh: &str, auth: &str) -> Option<Self> {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
        let keys = Self { p256dh: decode(p256dh)?, auth: decode(auth)? };
        (keys.p256dh.len() == 65 && keys.p256dh.first() == Some(&4) && keys.auth.len() == 16).then_some(keys)
    }
}

/// Encrypts for the receiver with a key pair and a salt of this message's own.
pub(crate) fn seal(keys: &Keys, text: &[u8]) -> Result<Vec<u8>, SealError> {
    let chance = SystemRandom::new();
    let ours = agreement::EphemeralPrivateKey::generate(&agreement::ECDH_P256, &chance).map_err(|_| SealError::Chance)?;
    let public = ours.compute_public_key().map_err(|_| SealError::Chance)?;
    let salt: [u8; 16] = ring::rand::generate(&chance).map_err(|_| SealError::Chance)?.expose();
    let theirs = agreement::UnparsedPublicKey::new(&agreement::ECDH_P256, &keys.p256dh);
    let shared = |secret: &[u8]| encrypt(secret, keys, public.as_ref(), salt, text);
    agreement::agree_ephemeral(ours, &theirs, shared).map_err(|_| SealError::Keys)?
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive<const N: usize>(salt: &[u8], secret: &[u8], info: &[&[u8]]) -> Result<[u8; N], SealError> {
    let mut out = [0; N];
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let filled = prk.expand(info, Length(N)).and_then(|okm| okm.fill(&mut out));
    filled.map(|()| out).map_err(|_| SealError::Keys)
}

fn encrypt(secret: &[u8], keys: &Keys, ours: &[u8], salt: [u8; 16], text: &[u8]) -> Result<Vec<u8>, SealError> {
    if text.len() > LONGEST {
        return Err(SealError::Long(text.len()));
    }
    let ikm: [u8; 32] = derive(&keys.auth, secret, &[b"WebPush: info\0", &keys.p256dh, ours])?;
    let key: [u8; 16] = derive(&salt, &ikm, &[b"Content-Encoding: aes128gcm\0"])?;
    let nonce: [u8; 12] = derive(&salt, &ikm, &[b"Content-Encoding: nonce\0"])?;
    let key = aead::UnboundKey::new(&aead::AES_128_GCM, &key).map_err(|_| SealError::Keys)?;
    // 2 delimits the last record (RFC 8188 §2).
    let mut sealed: Vec<u8> = text.iter().copied().chain([2]).collect();
    let nonce = aead::Nonce::assume_unique_for_key(nonce);
    aead::LessSafeKey::new(key).seal_in_place_append_tag(nonce, aead::Aad::empty(), &mut sealed).map_err(|_| SealError::Keys)?;
    let mut body = salt.to_vec();
    body.extend(RECORD.to_be_bytes());
    body.push(u8::try_from(ours.len()).unwrap_or(65));
    body.extend(ours);
    body.extend(sealed);
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_8291_comes_out_byte_for_byte() {
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let keys = Keys::read(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            "BTBZMqHH6r4Tts7J_aSIgg",
        )
        .unwrap();
        let ours = decode("BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8");
        let secret = decode("kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs");
        let salt = decode("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap();
        let sealed = encrypt(&secret, &keys, &ours, salt, b"When I grow up, I want to be a watermelon").unwrap();
        assert_eq!(
            URL_SAFE_NO_PAD.encode(sealed),
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
        );
    }
}
