//! Where a request may go, as a type: what is private can only be handed to a seat of this house.
//!
//! A [`Letter`] is a request that has been classified. Its bytes come out only towards a [`Seat`] of the same reach, and
//! nothing but a local provider makes a seat that [`LocalOnly`] admits. There is no other way to a provider's connections.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::Bytes;

use crate::config::Locality;
use crate::kinds::Privacy;
use crate::table::Pick;
use crate::upstream::Provider;

mod sealed {
    pub(crate) trait Sealed {}
}

/// How far a request may go.
pub(crate) trait Reach: sealed::Sealed + Send + Sync + Sized + 'static {
    fn admits(locality: Locality) -> bool;
}

/// Not out of this house.
#[derive(Debug)]
pub(crate) enum LocalOnly {}
/// Wherever the rules say.
#[derive(Debug)]
pub(crate) enum Anywhere {}

impl sealed::Sealed for LocalOnly {}
impl sealed::Sealed for Anywhere {}

impl Reach for LocalOnly {
    fn admits(locality: Locality) -> bool {
        locality == Locality::Local
    }
}

impl Reach for Anywhere {
    fn admits(_: Locality) -> bool {
        true
    }
}

/// A model at its provider, to which letters of the reach `R` may go.
#[derive(Debug)]
pub(crate) struct Seat<R> {
    pick: Pick,
    provider: Arc<Provider>,
    reach: PhantomData<fn() -> R>,
}

impl<R> Clone for Seat<R> {
    fn clone(&self) -> Self {
        Self { pick: self.pick.clone(), provider: Arc::clone(&self.provider), reach: PhantomData }
    }
}

impl<R: Reach> Seat<R> {
    /// The only way to a seat: `None` when the model or its provider is beyond this reach.
    pub(crate) fn admit(pick: &Pick, provider: &Arc<Provider>) -> Option<Self> {
        let admitted = R::admits(pick.entry.locality) && R::admits(provider.locality());
        admitted.then(|| Self { pick: pick.clone(), provider: Arc::clone(provider), reach: PhantomData })
    }

    pub(crate) const fn pick(&self) -> &Pick {
        &self.pick
    }

    pub(crate) const fn provider(&self) -> &Arc<Provider> {
        &self.provider
    }
}

/// A classified request on its way: the bytes that a provider will get.
#[derive(Debug)]
pub(crate) struct Letter<R> {
    body: Bytes,
    reach: PhantomData<fn() -> R>,
}

impl<R> Clone for Letter<R> {
    fn clone(&self) -> Self {
        Self { body: self.body.clone(), reach: PhantomData }
    }
}

/// A letter of either reach.
#[derive(Debug)]
pub(crate) enum Envelope {
    Private(Letter<LocalOnly>),
    Open(Letter<Anywhere>),
}

impl Envelope {
    /// Seals a request by its class; from here on only its type says where it may go.
    pub(crate) fn seal(privacy: Privacy, body: Bytes) -> Self {
        if privacy.is_private() {
            Self::Private(Letter { body, reach: PhantomData })
        } else {
            Self::Open(Letter { body, reach: PhantomData })
        }
    }
}

impl<R: Reach> Letter<R> {
    /// The same request in other words; it stays what it is.
    pub(crate) fn rewritten(&self, write: impl FnOnce(&Bytes) -> Bytes) -> Self {
        Self { body: write(&self.body), reach: PhantomData }
    }

    /// For looking at it in this process.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        look(&self.body)
    }

    /// The bytes, for a seat that may have them.
    pub(crate) fn open_for(&self, _: &Seat<R>) -> Bytes {
        self.body.clone()
    }
}
