//! screen: the family's rules, declared to the firewall and proven there (Screen Time).

pub mod engine;
