//! Netlink messages as bytes (RFC 3549 §2.2, linux/netlink.h): built and read with every length checked.

/// `NLM_F_REQUEST`, `NLM_F_ACK`, `NLM_F_DUMP` (root and match), `NLM_F_CREATE`.
pub(super) const REQUEST: u16 = 0x001;
pub(super) const ACK: u16 = 0x004;
pub(super) const DUMP: u16 = 0x300;
pub(super) const CREATE: u16 = 0x400;
/// `NLM_F_DUMP_INTR`: the table changed while it was dumped.
pub(super) const INTERRUPTED: u16 = 0x010;
/// `NLMSG_ERROR` (an acknowledgement if its code is 0) and `NLMSG_DONE`.
pub(super) const ERROR: u16 = 2;
pub(super) const DONE: u16 = 3;

const HEADER: usize = 16;
/// `NLA_F_NESTED`, and the bits of an attribute's type that are its type.
const NESTED: u16 = 0x8000;
const TYPE: u16 = 0x3fff;

/// Messages under construction.
#[derive(Debug, Default)]
pub(super) struct Builder {
    bytes: Vec<u8>,
}

impl Builder {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// One message: `head` is the fixed part behind netlink's own header, `body` adds the attributes.
    pub(super) fn message(&mut self, kind: u16, flags: u16, seq: u32, head: &[u8], body: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend(0u32.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend(seq.to_ne_bytes());
        self.bytes.extend(0u32.to_ne_bytes());
        self.bytes.extend(head);
        body(self);
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.patch(start, &length.to_ne_bytes());
        self.pad();
    }

    /// One attribute.
    pub(super) fn attr(&mut self, kind: u16, data: &[u8]) {
        self.open(kind, |bytes| bytes.bytes.extend(data));
    }

    /// Text with the zero that C wants behind it.
    pub(super) fn text(&mut self, kind: u16, text: &str) {
        self.open(kind, |bytes| {
            bytes.bytes.extend(text.as_bytes());
            bytes.bytes.push(0);
        });
    }

    /// An attribute that holds attributes.
    pub(super) fn nest(&mut self, kind: u16, body: impl FnOnce(&mut Self)) {
        self.open(kind | NESTED, body);
    }

    fn open(&mut self, kind: u16, body: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend([0, 0]);
        self.bytes.extend(kind.to_ne_bytes());
        body(self);
        // Callers keep an attribute below 64 KiB; a longer one is refused by the kernel, not misread.
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(0);
        self.patch(start, &length.to_ne_bytes());
        self.pad();
    }

    fn patch(&mut self, at: usize, value: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + value.len()) {
            place.copy_from_slice(value);
        }
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// A message that was received.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub kind: u16,
    pub flags: u16,
    pub seq: u32,
    /// The port of the socket whose request it answers or reports.
    pub port: u32,
    pub payload: &'a [u8],
}

impl Message<'_> {
    /// The kernel's error, 0 for an acknowledgement; `None` for a message that is neither.
    pub(super) fn errno(&self) -> Option<i32> {
        (self.kind == ERROR).then(|| self.payload.first_chunk().map_or(libc::EBADMSG, |code| -i32::from_ne_bytes(*code)))
    }
}

/// The messages in what one `recv` returned; a broken tail is left out.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
        let message = Message {
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            seq: u32_at(bytes, 8)?,
            port: u32_at(bytes, 12)?,
            payload: bytes.get(HEADER..length)?,
        };
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes in `bytes`: type and data; a broken tail is left out.
pub(super) fn attrs(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & TYPE;
        let data = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, data))
    })
}

/// The first attribute of this type.
pub(super) fn attr(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attrs(bytes).find(|(found, _)| *found == kind).map(|(_, data)| data)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|chunk| u16::from_ne_bytes(*chunk))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_ne_bytes(*chunk))
}

/// Text without the zero behind it.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes: Vec<u8>) {
            for message in messages(&bytes) {
                prop_assert!(attrs(message.payload).count() <= bytes.len());
                let _code = message.errno();
            }
        }

        #[test]
        fn what_is_built_is_read_back(kind: u16, seq: u32, data in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut builder = Builder::default();
            builder.message(kind, REQUEST, seq, &[1, 0, 0, 0], |body| body.nest(7, |inner| inner.attr(9, &data)));
            builder.message(kind, ACK, seq, &[], |_| {});
            let read: Vec<Message<'_>> = messages(builder.bytes()).collect();
            prop_assert_eq!(read.len(), 2);
            prop_assert_eq!((read[0].kind, read[0].seq), (kind, seq));
            let nested = attr(&read[0].payload[4..], 7).unwrap();
            prop_assert_eq!(attr(nested, 9).unwrap(), &data[..]);
        }
    }
}
