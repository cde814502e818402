//! Bytes: mutations that know nothing of what the bytes mean.

use super::{INPUT_BYTES_MAX, words};
use crate::rng::Rng;

/// Changes the bytes in one way of many.
pub(super) fn mutate(input: &mut Vec<u8>, (dictionary, pool): (&[Vec<u8>], &[Vec<u8>]), rng: &mut Rng) {
    let at = rng.below(input.len() + 1);
    match rng.below(12) {
        0 => flip(input, rng),
        1 => {
            let byte = rng.byte();
            input.insert(at, byte);
        }
        2 => remove(input, rng),
        3 | 4 => insert(input, at, &words::any(dictionary, rng)),
        5 => replace_word(input, &words::any(dictionary, rng), rng),
        6 => input.truncate(at),
        7 => copy(input, at, rng),
        8 => repeat(input, rng),
        9 => splice(input, at, pool, rng),
        10 => renumber(input, rng),
        _ => swap_lines(input, rng),
    }
}

fn flip(input: &mut [u8], rng: &mut Rng) {
    let at = rng.below(input.len());
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << rng.below(8);
    }
}

/// A stretch of the input, most often a short one.
fn stretch(input: &[u8], rng: &mut Rng) -> std::ops::Range<usize> {
    let from = rng.below(input.len() + 1);
    let long = if rng.one_in(4) { input.len() } else { 16 };
    from..(from + rng.below(long + 1)).min(input.len())
}

fn remove(input: &mut Vec<u8>, rng: &mut Rng) {
    let range = stretch(input, rng);
    input.drain(range);
}

fn insert(input: &mut Vec<u8>, at: usize, piece: &[u8]) {
    input.splice(at..at, piece.iter().copied());
}

fn replace_word(input: &mut Vec<u8>, word: &[u8], rng: &mut Rng) {
    let in_word =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/' | b':');
    let at = rng.below(input.len());
    let start = input[..at].iter().rposition(|byte| !in_word(byte)).map_or(0, |start| start + 1);
    let end = input[at..].iter().position(|byte| !in_word(byte)).map_or(input.len(), |end| at + end);
    if start <= end {
        input.splice(start..end, word.iter().copied());
    }
}

fn copy(input: &mut Vec<u8>, at: usize, rng: &mut Rng) {
    let piece = input[stretch(input, rng)].to_vec();
    insert(input, at, &piece);
}

/// The same again and again: what shows readers whose time grows with the square of the length.
fn repeat(input: &mut Vec<u8>, rng: &mut Rng) {
    let range = stretch(input, rng);
    let piece = input[range.clone()].to_vec();
    // Long ones are rare, because they take long.
    let room = if rng.one_in(200) { INPUT_BYTES_MAX } else { 2_000 };
    let times = rng.below(room / piece.len().max(1) + 1);
    let repeated = piece.repeat(times);
    input.splice(range, repeated);
}

fn splice(input: &mut Vec<u8>, at: usize, pool: &[Vec<u8>], rng: &mut Rng) {
    let Some(other) = rng.pick(pool) else { return };
    let piece = &other[stretch(other, rng)];
    if rng.one_in(2) {
        insert(input, at, piece);
    } else {
        input.truncate(at);
        input.extend_from_slice(piece);
    }
}

fn renumber(input: &mut Vec<u8>, rng: &mut Rng) {
    let at = rng.below(input.len());
    let Some(start) = input[at..].iter().position(u8::is_ascii_digit).map(|start| at + start) else { return };
    let end =
        input[start..].iter().position(|byte| !byte.is_ascii_digit()).map_or(input.len(), |end| start + end);
    input.splice(start..end, words::number(rng).into_bytes());
}

fn swap_lines(input: &mut Vec<u8>, rng: &mut Rng) {
    let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let (one, other) = (rng.below(lines.len()), rng.below(lines.len()));
    match rng.below(3) {
        0 => lines.swap(one, other),
        1 => lines.insert(one, lines[other]),
        _ => drop(lines.remove(one)),
    }
    *input = lines.join(&b'\n');
}
