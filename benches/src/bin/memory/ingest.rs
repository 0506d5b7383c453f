//! How fast texts get their vectors.

use sanctum_kernel::Failure;

pub(crate) fn measure(_file: &str) -> Result<bool, Failure> {
    Ok(true)
}
