//! Other memories, asked the same.

use crate::locomo::Set;
use crate::quality::Row;

pub(crate) fn measure(_set: &Set) -> Vec<Row> {
    Vec::new()
}
