//! Batches: requests for reads that stay below what closes the connection.

/// How many paths one request reads: a request over 1 MiB closes the connection.
const READ_MAX: usize = 1000;
/// How many bytes of paths one request reads at most, for the same reason.
const READ_BYTES_MAX: usize = 256 * 1024;

/// Splits paths so that each request stays small.
pub(crate) fn batches(paths: &[String]) -> Vec<&[String]> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, path) in paths.iter().enumerate() {
        if index > start && (index - start == READ_MAX || bytes + path.len() > READ_BYTES_MAX) {
            batches.push(&paths[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += path.len();
    }
    if start < paths.len() {
        batches.push(&paths[start..]);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_request_is_too_large() {
        let short: Vec<String> = (0..2500).map(|n| format!("/a/{n}")).collect();
        let sizes: Vec<usize> = batches(&short).into_iter().map(<[String]>::len).collect();
        assert_eq!(sizes, [1000, 1000, 500]);
        let long: Vec<String> = (0..600).map(|_| "x".repeat(1000)).collect();
        assert!(
            batches(&long).iter().all(|batch| batch.iter().map(String::len).sum::<usize>() <= READ_BYTES_MAX)
        );
        assert_eq!(batches(&long).concat(), long);
        assert_eq!(batches(&[]).len(), 0);
    }
}
