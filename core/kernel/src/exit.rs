//! Exit codes, as BSD's sysexits(3) has them.

/// It went well.
pub const OK: u8 = 0;
/// The question was answered with no: a check failed, something is not well.
pub const NO: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 64;
/// A file to read is not there.
pub const NO_INPUT: u8 = 66;
/// A service or an address is not available.
pub const UNAVAILABLE: u8 = 69;
/// Something inside went wrong.
pub const SOFTWARE: u8 = 70;
/// A file could not be written.
pub const CANNOT_CREATE: u8 = 73;
/// It may work later.
pub const TRY_AGAIN: u8 = 75;
/// Not allowed: needs root, or a token that has the right.
pub const NO_PERMISSION: u8 = 77;
/// The configuration is wrong.
pub const CONFIG: u8 = 78;

/// Every code with its meaning, for help texts and reference docs.
pub const ALL: &[(u8, &str)] = &[
    (OK, "it went well"),
    (NO, "the answer is no: a check failed, or something is not well"),
    (USAGE, "the command line is wrong"),
    (NO_INPUT, "a file to read is not there"),
    (UNAVAILABLE, "a service does not answer, or an address is taken"),
    (SOFTWARE, "something inside went wrong: please report it"),
    (CANNOT_CREATE, "a file could not be written: disk full, or read-only"),
    (TRY_AGAIN, "it may work later"),
    (NO_PERMISSION, "not allowed: needs root, or a token with the right"),
    (CONFIG, "the configuration is wrong"),
];
