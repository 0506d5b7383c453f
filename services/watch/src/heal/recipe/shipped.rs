//! The recipes that ship: each is a file beside this crate's code, compiled in.

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        /// Name and text of each.
        pub(super) const SHIPPED: &[(&str, &str)] =
            &[$((concat!($name, ".toml"), include_str!(concat!("../recipes/", $name, ".toml")))),+];
    };
}

shipped!(
    "restart",
    "restart-requirement",
    "restart-subtree",
    "crash-loop",
    "locked",
    "wedged-process",
    "stale-binary",
    "zombie-flood",
    "handles-exhausted",
    "full-log-disk",
    "stale-index",
    "expired-certificate",
    "orphan-unit",
    "stuck-port",
    "lost-route",
    "clock-skew",
    "engine-socket",
    "secret-drift",
    "broken-resolver",
);
