//! Optional stages of the pipeline, each off by default: a pure core, a thin shell, and two calls, `before` and `after`.
//!
//! They work on the neutral form, so a request they change is written anew; one they leave alone passes as it came.

pub mod cache;
pub mod limits;
pub mod marks;
pub mod mask;
pub mod recall;
pub mod repair;
