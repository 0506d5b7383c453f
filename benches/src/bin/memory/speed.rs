//! Searches of 8 clients.

use sanctum_kernel::Failure;

pub(crate) async fn measure(_sizes: &[u32]) -> Result<bool, Failure> {
    Ok(true)
}
