//! What healing touches the machine with.

pub(crate) mod certificate;
pub(crate) mod der;
pub(crate) mod files;
pub(crate) mod keeper;
pub(crate) mod ntp;
pub(crate) mod process;
pub(crate) mod route;
pub(crate) mod run;
pub(crate) mod script;
