//! A certificate that was signed with its own key: read, and issued again with the same key and names.
//!
//! Nothing of it changes but its number and its days (RFC 5280 §4.1): names, key and extensions are copied as they are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair, UnparsedPublicKey};
use sanctum_kernel::trace::random;

use super::der::{self, BIT_STRING, Element, INTEGER, SEQUENCE, expect, make, take};

/// A clock that is a little behind must not refuse a new one.
const SOONER: SignedDuration = SignedDuration::from_hours(1);

/// How it is signed, by the object identifier in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    EcdsaP256,
    EcdsaP384,
    Ed25519,
    RsaSha256,
}

impl Scheme {
    fn of(algorithm: &[u8]) -> Option<Self> {
        let mut inner = algorithm;
        let oid = take(&mut inner)?;
        match oid.whole {
            // ecdsa-with-SHA256 and ecdsa-with-SHA384 (RFC 5758 §3.2)
            [6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2] => Some(Self::EcdsaP256),
            [6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 3] => Some(Self::EcdsaP384),
            // Ed25519 (RFC 8410 §3)
            [6, 3, 0x2B, 0x65, 0x70] => Some(Self::Ed25519),
            // sha256WithRSAEncryption (RFC 8017 §A.2.4)
            [6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 11] => Some(Self::RsaSha256),
            _ => None,
        }
    }

    fn verification(self) -> &'static dyn signature::VerificationAlgorithm {
        match self {
            Self::EcdsaP256 => &signature::ECDSA_P256_SHA256_ASN1,
            Self::EcdsaP384 => &signature::ECDSA_P384_SHA384_ASN1,
            Self::Ed25519 => &signature::ED25519,
            Self::RsaSha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        }
    }

    /// The public key of this private one, and a signature by it.
    fn sign(self, key: &[u8], message: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let random = SystemRandom::new();
        let ecdsa = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, key, &random).ok();
        match self {
            Self::EcdsaP256 | Self::EcdsaP384 => {
                let pair = ecdsa(if self == Self::EcdsaP256 {
                    &signature::ECDSA_P256_SHA256_ASN1_SIGNING
                } else {
                    &signature::ECDSA_P384_SHA384_ASN1_SIGNING
                })?;
                let signed = pair.sign(&random, message).ok()?;
                Some((pair.public_key().as_ref().to_vec(), signed.as_ref().to_vec()))
            }
            Self::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(key).ok()?;
                Some((pair.public_key().as_ref().to_vec(), pair.sign(message).as_ref().to_vec()))
            }
            Self::RsaSha256 => {
                let pair = RsaKeyPair::from_pkcs8(key).or_else(|_| RsaKeyPair::from_der(key)).ok()?;
                let mut signed = vec![0; pair.public().modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut signed).ok()?;
                Some((pair.public().as_ref().to_vec(), signed))
            }
        }
    }
}

/// What matters of a certificate.
#[derive(Debug)]
pub(crate) struct Certificate<'a> {
    signed: Element<'a>,
    version: &'a [u8],
    algorithm: &'a [u8],
    issuer: &'a [u8],
    subject: &'a [u8],
    key: &'a [u8],
    rest: &'a [u8],
    public: &'a [u8],
    signature: &'a [u8],
    scheme: Option<Scheme>,
    pub(crate) ends: Timestamp,
}

impl<'a> Certificate<'a> {
    pub(crate) fn read(mut bytes: &'a [u8]) -> Option<Self> {
        let mut outer = expect(&mut bytes, SEQUENCE)?.body;
        let signed = expect(&mut outer, SEQUENCE)?;
        take(&mut outer)?;
        let signature = bits(expect(&mut outer, BIT_STRING)?)?;
        let mut inner = signed.body;
        let version = match inner.first() {
            Some(0xA0) => take(&mut inner)?.whole,
            _ => &[],
        };
        expect(&mut inner, INTEGER)?;
        let algorithm = expect(&mut inner, SEQUENCE)?;
        let issuer = expect(&mut inner, SEQUENCE)?.whole;
        let mut days = expect(&mut inner, SEQUENCE)?.body;
        take(&mut days)?;
        let ends = der::time(take(&mut days)?)?;
        let subject = expect(&mut inner, SEQUENCE)?.whole;
        let key = expect(&mut inner, SEQUENCE)?;
        let mut parts = key.body;
        take(&mut parts)?;
        let public = bits(expect(&mut parts, BIT_STRING)?)?;
        Some(Self {
            signed,
            version,
            algorithm: algorithm.whole,
            issuer,
            subject,
            key: key.whole,
            rest: inner,
            public,
            signature,
            scheme: Scheme::of(algorithm.body),
            ends,
        })
    }

    /// Whether its own key has signed it.
    pub(crate) fn is_self_signed(&self) -> bool {
        self.issuer == self.subject
            && self.scheme.is_some_and(|scheme| {
                let key = UnparsedPublicKey::new(scheme.verification(), self.public);
                key.verify(self.signed.whole, self.signature).is_ok()
            })
    }

    /// The same with another number and other days, signed by `key` (PKCS #8), if that is its key.
    pub(crate) fn again(&self, key: &[u8], now: Timestamp, valid: Duration) -> Option<Vec<u8>> {
        let scheme = self.scheme?;
        let ends = now.checked_add(SignedDuration::try_from(valid).ok()?).ok()?;
        // Positive, and never the same twice (RFC 5280 §4.1.2.2).
        let mut number = random::<16>();
        if let Some(first) = number.first_mut() {
            *first = (*first & 0x7F) | 0x40;
        }
        let begins = now.checked_sub(SOONER).ok()?;
        let days = make(SEQUENCE, &[&der::make_time(begins), &der::make_time(ends)]);
        let number = make(INTEGER, &[&number]);
        let parts =
            [self.version, &number, self.algorithm, self.issuer, &days, self.subject, self.key, self.rest];
        let body = make(SEQUENCE, &parts);
        let (public, signed) = scheme.sign(key, &body)?;
        if public != self.public {
            return None;
        }
        Some(make(SEQUENCE, &[&body, self.algorithm, &make(BIT_STRING, &[&[0], &signed])]))
    }

    /// Whether this is `other`, issued again.
    pub(crate) fn is_like(&self, other: &Certificate<'_>) -> bool {
        (self.issuer, self.subject, self.key, self.rest)
            == (other.issuer, other.subject, other.key, other.rest)
    }
}

fn bits(element: Element<'_>) -> Option<&[u8]> {
    element.body.split_first().filter(|(unused, _)| **unused == 0).map(|(_, rest)| rest)
}

/// The one certificate of a PEM file, as DER; none if there are several: those come from somebody else.
pub(crate) fn only(text: &str) -> Option<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = Vec::new();
    found.extend(der::pem(text).into_iter().filter(|(label, _)| label == "CERTIFICATE").map(|(_, der)| der));
    if found.len() == 1 { found.pop() } else { None }
}

/// The private key of a PEM text.
pub(crate) fn private(text: &str) -> Option<Vec<u8>> {
    let labels = ["PRIVATE KEY", "RSA PRIVATE KEY"];
    der::pem(text).into_iter().find(|(label, _)| labels.contains(&label.as_str())).map(|(_, key)| key)
}

/// Where the key of a certificate may lie: in the same file, or beside it.
pub(crate) fn keys_of(path: &Path) -> Vec<PathBuf> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let bare = stem.trim_end_matches("cert").trim_end_matches("crt").trim_end_matches(['-', '.', '_']);
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut names = vec![format!("{stem}.key"), format!("{stem}-key.pem"), format!("{stem}.key.pem")];
    names.extend([
        format!("{bare}.key"),
        format!("{bare}-key.pem"),
        "key.pem".to_owned(),
        "privkey.pem".to_owned(),
    ]);
    std::iter::once(path.to_owned()).chain(names.into_iter().map(|name| folder.join(name))).collect()
}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;
