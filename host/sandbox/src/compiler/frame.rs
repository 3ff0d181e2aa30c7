//! What host and compiling child say to each other over their pipes, byte by byte.
//!
//! The order goes out with a fresh key; the answer comes back with a keyed hash over its content,
//! the engine's settings and the digest of what was compiled. An answer to another order, or with
//! a byte more or less, is none.

use crate::artifact::ArtifactError;
use std::io::{self, Read, Write};
use std::time::Duration;

const ORDER: &[u8; 8] = b"bowlin>2";
const ANSWER: &[u8; 8] = b"bowlin<1";
const KEY_BYTES: usize = 32;
const MAC_BYTES: usize = 32;

/// Bytes of an answer around its content.
pub(super) const FRAME_BYTES: u64 = (ANSWER.len() + 1 + 8 + MAC_BYTES) as u64;

/// Bytes of a refusal's text.
const REFUSAL_BYTES_MAX: usize = 4 << 10;

/// The child had no memory left. Its parent knows the value of that limit.
pub(super) const NO_MEMORY: &str = "compiler.no-memory";

/// The child has used up its computing time.
pub(super) const NO_TIME: &str = "compiler.no-time";

/// The codes that a child may refuse with.
const CODES: &[&str] = &["plugin.malformed", "plugin.unsupported-feature", NO_MEMORY, NO_TIME];

/// What is to be done with a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// To check it and to turn it into machine code.
    Compile,
    /// Only to check it. The answer's code is empty.
    Check,
}

/// What a child is to do. The component's bytes follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) task: Task,
    pub(super) key: [u8; KEY_BYTES],
    /// Bytes of address space.
    pub(super) memory_bytes_max: u64,
    /// Computing time.
    pub(super) cpu_time_max: Duration,
    /// Bytes of the component.
    pub(super) length: u64,
}

impl Order {
    pub(super) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(ORDER)?;
        to.write_all(&[u8::from(self.task == Task::Check)])?;
        to.write_all(&self.key)?;
        let cpu = u64::try_from(self.cpu_time_max.as_millis()).unwrap_or(u64::MAX);
        for number in [self.memory_bytes_max, cpu, self.length] {
            to.write_all(&number.to_le_bytes())?;
        }
        Ok(())
    }

    pub(super) fn read(from: &mut impl Read) -> io::Result<Self> {
        let mut magic = [0; ORDER.len()];
        from.read_exact(&mut magic)?;
        if magic != *ORDER {
            return Err(io::Error::other("this is not an order to compile"));
        }
        let mut task = [0];
        from.read_exact(&mut task)?;
        let task = match task {
            [0] => Task::Compile,
            [1] => Task::Check,
            _ => return Err(io::Error::other("this is an order that is not known")),
        };
        let mut key = [0; KEY_BYTES];
        from.read_exact(&mut key)?;
        let mut number = || {
            let mut bytes = [0; 8];
            from.read_exact(&mut bytes).map(|()| u64::from_le_bytes(bytes))
        };
        Ok(Self {
            task,
            key,
            memory_bytes_max: number()?,
            cpu_time_max: Duration::from_millis(number()?),
            length: number()?,
        })
    }
}

/// What an answer is about: the same on both sides, or the answer is not to this order.
pub(super) struct Subject<'a> {
    pub(super) key: &'a [u8; KEY_BYTES],
    pub(super) engine_hash: u64,
    pub(super) component: &'a [u8],
}

/// The compiled code, or why there is none.
pub(super) type Compiled = Result<Vec<u8>, ArtifactError>;

impl Subject<'_> {
    pub(super) fn write(&self, answer: &Compiled, to: &mut impl Write) -> io::Result<()> {
        let refusal;
        let (kind, content) = match answer {
            Ok(code) => (0, code.as_slice()),
            Err(error) => {
                let text = format!("{}\n{}", error.code, error.message);
                refusal = text[..text.floor_char_boundary(REFUSAL_BYTES_MAX)].to_owned();
                (1, refusal.as_bytes())
            }
        };
        to.write_all(ANSWER)?;
        to.write_all(&[kind])?;
        to.write_all(&(content.len() as u64).to_le_bytes())?;
        to.write_all(content)?;
        to.write_all(self.mac(kind, content).as_bytes())?;
        to.flush()
    }

    /// Reads an answer that is there whole. None for whatever is not exactly one.
    pub(super) fn read(&self, mut bytes: Vec<u8>) -> Option<Compiled> {
        let head = ANSWER.len();
        let (magic, rest) = bytes.split_at_checked(head)?;
        let (kind, rest) = rest.split_first()?;
        let (length, rest) = rest.split_first_chunk::<8>()?;
        let (content, mac) = rest.split_at_checked(rest.len().checked_sub(MAC_BYTES)?)?;
        let mac: [u8; MAC_BYTES] = mac.try_into().ok()?;
        // Compared in constant time by `blake3::Hash`.
        let good = magic == ANSWER
            && u64::from_le_bytes(*length) == content.len() as u64
            && self.mac(*kind, content) == mac;
        if !good {
            return None;
        }
        match *kind {
            0 => {
                let length = content.len();
                bytes.drain(..head + 1 + 8);
                bytes.truncate(length);
                Some(Ok(bytes))
            }
            1 => Some(Err(refusal(content)?)),
            _ => None,
        }
    }

    fn mac(&self, kind: u8, content: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(self.key);
        hasher.update(&[kind]);
        hasher.update(&self.engine_hash.to_le_bytes());
        hasher.update(blake3::hash(self.component).as_bytes());
        hasher.update(content);
        hasher.finalize()
    }
}

fn refusal(content: &[u8]) -> Option<ArtifactError> {
    let (code, message) = std::str::from_utf8(content).ok()?.split_once('\n')?;
    let code = CODES.iter().find(|known| **known == code)?;
    Some(ArtifactError::new(code, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn subject(component: &[u8]) -> Subject<'_> {
        Subject { key: &KEY, engine_hash: 1, component }
    }

    fn written(answer: &Compiled) -> Vec<u8> {
        let mut bytes = Vec::new();
        subject(b"component").write(answer, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_was_said_is_heard() {
        for task in [Task::Compile, Task::Check] {
            let order = Order {
                task,
                key: KEY,
                memory_bytes_max: 1 << 31,
                cpu_time_max: Duration::from_millis(1_500),
                length: 9,
            };
            let mut bytes = Vec::new();
            order.write(&mut bytes).unwrap();
            assert_eq!(Order::read(&mut bytes.as_slice()).unwrap(), order);
        }

        let refused = ArtifactError::new("plugin.malformed", "no\nsuch thing");
        for answer in [Ok(b"code".to_vec()), Ok(Vec::new()), Err(refused)] {
            let found = subject(b"component").read(written(&answer));
            assert_eq!(found, Some(answer));
        }
    }

    #[test]
    fn an_answer_that_differs_by_a_bit_a_byte_or_its_subject_is_none() {
        let whole = written(&Ok(b"code".to_vec()));
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert_eq!(subject(b"component").read(bytes), None, "byte {at}");
            assert_eq!(subject(b"component").read(whole[..at].to_vec()), None, "{at} bytes");
        }
        let more = [whole.as_slice(), b"\n"].concat();
        assert_eq!(subject(b"component").read(more), None);
        assert_eq!(subject(b"another").read(whole.clone()), None);
        let other_engine = Subject { engine_hash: 2, ..subject(b"component") };
        assert_eq!(other_engine.read(whole.clone()), None);
        let other_key = Subject { key: &[8; 32], ..subject(b"component") };
        assert_eq!(other_key.read(whole), None);
    }

    #[test]
    fn a_refusal_has_a_code_that_is_known_and_a_bounded_text() {
        let long = ArtifactError::new("plugin.malformed", "ä".repeat(10_000));
        let found = subject(b"component").read(written(&Err(long))).unwrap().unwrap_err();
        assert!(found.message.len() < REFUSAL_BYTES_MAX);

        let invented = ArtifactError::new("plugin.good", "trust me");
        assert_eq!(subject(b"component").read(written(&Err(invented))), None);
    }
}
