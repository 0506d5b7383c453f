//! The numbers in an ONNX file, without its graph: the file is the one its SHA-256 says, so the graph is known.
//!
//! Fields by number as in `onnx.proto3`, encoded as protocol buffers.

use std::collections::HashMap;

/// `ModelProto.graph`, `GraphProto.initializer`.
const GRAPH: u64 = 7;
const INITIALIZER: u64 = 5;
/// Of a `TensorProto`: `name`, `raw_data`.
const NAME: u64 = 8;
const RAW: u64 = 9;

/// Tensors by name, in the order of the file too.
#[derive(Debug, Default)]
pub(crate) struct Tensors<'a> {
    raw: HashMap<&'a str, &'a [u8]>,
    pub(crate) names: Vec<&'a str>,
}

impl<'a> Tensors<'a> {
    /// `None` for what is no such file.
    pub(crate) fn read(file: &'a [u8]) -> Option<Self> {
        let mut tensors = Self::default();
        let (_, graph) = fields(file)?.into_iter().find(|(number, _)| *number == GRAPH)?;
        for (_, tensor) in fields(graph)?.into_iter().filter(|(number, _)| *number == INITIALIZER) {
            let parts = fields(tensor)?;
            let part = |wanted| parts.iter().find(|(number, _)| *number == wanted).map(|(_, bytes)| *bytes);
            let name = std::str::from_utf8(part(NAME)?).ok()?;
            tensors.raw.insert(name, part(RAW).unwrap_or_default());
            tensors.names.push(name);
        }
        Some(tensors)
    }

    pub(crate) fn bytes(&self, name: &str) -> Option<Vec<i8>> {
        Some(self.raw.get(name)?.iter().map(|byte| byte.cast_signed()).collect())
    }

    pub(crate) fn floats(&self, name: &str) -> Option<Vec<f32>> {
        let (numbers, rest) = self.raw.get(name)?.as_chunks::<4>();
        rest.is_empty().then(|| numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

/// The fields of a message that have a length; others are passed over.
fn fields(mut message: &[u8]) -> Option<Vec<(u64, &[u8])>> {
    let mut all = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message)?;
        match key & 7 {
            0 => {
                varint(&mut message)?;
            }
            1 => message = message.get(8..)?,
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                let (field, rest) = message.split_at_checked(length)?;
                all.push((key >> 3, field));
                message = rest;
            }
            5 => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(all)
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "files of a few bytes")]
mod tests {
    use super::*;

    #[test]
    fn tensors_by_name_and_nothing_from_noise() {
        // initializer { name: "a", raw_data: 00 00 80 3f } within graph, after a varint and a fixed field.
        let tensor = [0x42, 1, b'a', 0x4a, 4, 0, 0, 0x80, 0x3f];
        let graph = [&[0x2a, tensor.len() as u8][..], &tensor].concat();
        let file = [&[0x08, 0x96, 0x01, 0x3a, graph.len() as u8][..], &graph].concat();
        let tensors = Tensors::read(&file).unwrap();
        assert_eq!(tensors.names, ["a"]);
        assert_eq!(tensors.floats("a"), Some(vec![1.0]));
        assert_eq!(tensors.bytes("a"), Some(vec![0, 0, -128, 63]));
        for cut in 1..file.len() {
            assert!(Tensors::read(&file[..cut]).is_none_or(|tensors| tensors.floats("a").is_none()), "{cut}");
        }
    }
}
