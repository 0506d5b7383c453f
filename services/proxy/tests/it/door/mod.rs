//! The door as clients meet it: a house with nothing but the proxy in it, against a provider on loopback.

mod basics;
mod house;
mod hub;
mod stages;
