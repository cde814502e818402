//! Target: a reader of bytes from outside, and what must hold of whatever it answers.

/// What a target made of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It understood them; what they amount to, in a few words.
    Taken(String),
    /// It refused them, in these words.
    Refused(String),
}

impl Verdict {
    /// Bytes that a target, which reads text, is not asked about.
    pub fn no_text() -> Self {
        Self::Refused("no UTF-8".to_owned())
    }

    /// From a reader's answer.
    pub fn of<T, E: ToString>(answer: Result<T, E>) -> Self {
        match answer {
            Ok(_) => Self::Taken(String::new()),
            Err(error) => Self::Refused(error.to_string()),
        }
    }

    /// What tells it from others, without the names and numbers that are the input's own.
    pub fn shape(&self) -> u64 {
        let (seed, words) = match self {
            Self::Taken(words) => (1, words),
            Self::Refused(words) => (2, words),
        };
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ seed;
        let mut quote = None;
        let mut before = 0;
        for byte in words.bytes().take(SHAPE_BYTES_MAX) {
            match quote {
                Some(end) if byte == end => quote = None,
                Some(_) => continue,
                None if matches!(byte, b'"' | b'`') => quote = Some(byte),
                None => {}
            }
            let class = if byte.is_ascii_digit() { b'0' } else { byte };
            if class != b'0' || before != b'0' {
                hash = (hash ^ u64::from(class)).wrapping_mul(0x0100_0000_01b3);
            }
            before = class;
        }
        hash
    }
}

/// Words that differ only behind so many bytes are the same.
const SHAPE_BYTES_MAX: usize = 240;

/// How the bytes of a target are built, so that mutations keep enough of it to get past the first check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// JSON, on one line or on many.
    Json,
    /// TOML.
    Toml,
    /// Protobuf; the first byte may choose the message.
    Proto,
    /// Words and lines.
    Text,
}

/// One reader.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its directories.
    pub name: &'static str,
    /// How its bytes are built.
    pub flavour: Flavour,
    /// Reads bytes; panics when something does not hold.
    pub fuzz: fn(&[u8]) -> Verdict,
    /// Good and nearly good inputs, made of the real types.
    pub samples: fn() -> Vec<Vec<u8>>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("name", &self.name).finish_non_exhaustive()
    }
}
