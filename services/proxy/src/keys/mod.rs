//! Virtual keys: who calls, with which scopes, until when.
