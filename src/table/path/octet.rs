//! Percent-encoded octets, and whether a run of them is UTF-8.

/// RFC 3986, section 2.3.
pub(super) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Checks octets for UTF-8 as they come, without keeping more than one character.
#[derive(Default)]
pub(super) struct Utf8Run {
    pending: [u8; 4],
    length: usize,
    invalid: bool,
}

impl Utf8Run {
    pub(super) fn push(&mut self, octet: u8) {
        self.pending[self.length] = octet;
        self.length += 1;
        match std::str::from_utf8(&self.pending[..self.length]) {
            Ok(_) => self.length = 0,
            // No length: the octets so far start a character.
            Err(error) if error.error_len().is_none() => {}
            Err(_) => {
                self.invalid = true;
                self.length = 0;
            }
        }
    }

    pub(super) fn is_valid(&self) -> bool {
        !self.invalid && self.length == 0
    }
}

/// The octet that `%XX` at `at` stands for.
pub(super) fn encoded_octet(bytes: &[u8], at: usize) -> Option<u8> {
    match bytes.get(at..at + 3)? {
        &[b'%', high, low] => Some(hex_digit(high)? << 4 | hex_digit(low)?),
        _ => None,
    }
}

/// The value of a hexadecimal digit.
pub(in crate::table) fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// `%XX` for an octet, in upper case.
pub(super) fn percent_encoded(octet: u8) -> [u8; 3] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    [b'%', DIGITS[usize::from(octet >> 4)], DIGITS[usize::from(octet & 15)]]
}
