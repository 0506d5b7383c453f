//! Who may talk to whom: an address for every service, and a token for every pair that may talk.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::files::{self, FileError};
use crate::trace::{hex, random};
use crate::{Catalogue, Paths, Right};

/// Where to find a service and what to show at its door.
#[derive(Debug, Clone)]
pub struct Peer {
    pub name: String,
    pub addr: SocketAddr,
    pub token: SecretString,
}

/// The address book and key ring of one caller.
#[derive(Debug, Clone)]
pub struct Peers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    me: String,
    addrs: BTreeMap<String, SocketAddr>,
    /// Tokens I show, by callee.
    mine: BTreeMap<String, SecretString>,
    /// Tokens shown to me, with the caller and what it may do.
    theirs: Vec<(String, Right, SecretString)>,
}

/// Why a service cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum NoPeer {
    #[error("`{me}` has no token for `{callee}`: its declaration does not list that call")]
    NotAllowed { me: String, callee: String },
    #[error("`{0}` has no address")]
    NoAddress(String),
}

/// Makes a fresh token for every `wanted` pair of the catalogue, caller and callee, in files only their owner can read. Nobody who
/// knows one survives a power cut, so that a house need not wait for the disk before it begins.
pub fn make_tokens(
    catalogue: &Catalogue,
    paths: &Paths,
    wanted: impl Fn(&str, &str) -> bool,
) -> Result<(), FileError> {
    files::private_dir(&paths.tokens())?;
    let pairs = pairs(catalogue).into_iter().filter(|(caller, callee)| wanted(caller, callee));
    pairs.map(|pair| file(paths, pair)).try_for_each(|path| files::place(&path, token().as_bytes(), 0o600))
}

/// Makes the tokens that are not there yet: for services that the platform's own supervisor starts side by side.
pub fn ensure_tokens(catalogue: &Catalogue, paths: &Paths) -> Result<(), FileError> {
    files::private_dir(&paths.tokens())?;
    for path in pairs(catalogue).into_iter().map(|pair| file(paths, pair)) {
        // What a power cut left of one that was just being made.
        if std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() == 0) {
            files::remove(&path)?;
        }
        files::create(&path, token().as_bytes(), 0o600)?;
    }
    Ok(())
}

fn pairs(catalogue: &Catalogue) -> Vec<(&'static str, &'static str)> {
    let pairs = catalogue.pairs().into_iter().map(|(caller, callee, _)| (caller, callee));
    // What a person's browser shows at the dashboard's door; see `dashboard`.
    pairs.chain([("browser", "dashboard")]).collect()
}

fn file(paths: &Paths, (caller, callee): (&str, &str)) -> std::path::PathBuf {
    paths.tokens().join(format!("{caller}-{callee}"))
}

fn token() -> String {
    hex(&random::<32>())
}

/// Reads one token, such as `("cli", "notify")`.
pub fn read_token(paths: &Paths, caller: &str, callee: &str) -> Result<SecretString, FileError> {
    files::read(&file(paths, (caller, callee))).map(|token| token.trim().to_owned().into())
}

impl Peers {
    /// The address book and key ring of `me`, from the files `make_tokens` wrote.
    pub fn load(
        me: &str,
        catalogue: &Catalogue,
        paths: &Paths,
        addrs: BTreeMap<String, SocketAddr>,
    ) -> Result<Self, FileError> {
        let mut mine = BTreeMap::new();
        let mut theirs = Vec::new();
        for (caller, callee, right) in catalogue.pairs() {
            if caller == me {
                mine.insert(callee.to_owned(), read_token(paths, caller, callee)?);
            }
            if callee == me {
                theirs.push((caller.to_owned(), right, read_token(paths, caller, callee)?));
            }
        }
        if me == "dashboard" {
            theirs.push(("browser".to_owned(), Right::Open, read_token(paths, "browser", me)?));
        }
        Ok(Self(Arc::new(Inner { me: me.to_owned(), addrs, mine, theirs })))
    }

    /// Where `callee` is, and the token to show there.
    pub fn peer(&self, callee: &str) -> Result<Peer, NoPeer> {
        let token = self.0.mine.get(callee).cloned();
        let token =
            token.ok_or_else(|| NoPeer::NotAllowed { me: self.0.me.clone(), callee: callee.to_owned() })?;
        let addr = self.addr(callee).ok_or_else(|| NoPeer::NoAddress(callee.to_owned()))?;
        Ok(Peer { name: callee.to_owned(), addr, token })
    }

    /// Where a service listens (its listener `http`).
    pub fn addr(&self, service: &str) -> Option<SocketAddr> {
        self.0.addrs.get(service).copied()
    }

    /// Every service with an address.
    pub fn addrs(&self) -> &BTreeMap<String, SocketAddr> {
        &self.0.addrs
    }

    /// Who shows this token, and what they may do. Every token is compared, each in constant time.
    pub fn admit(&self, token: &str) -> Option<(&str, Right)> {
        let mut found = None;
        for (caller, right, expected) in &self.0.theirs {
            if bool::from(expected.expose_secret().as_bytes().ct_eq(token.as_bytes())) {
                found = Some((caller.as_str(), *right));
            }
        }
        found
    }
}
