//! Layout: how the lines of a screen are shared among blocks that would all like more.

/// What a block would like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    /// Who is served first: 0 before 1.
    pub(super) rank: u8,
    /// With fewer lines it says nothing, and is left out.
    pub(super) least: usize,
    /// With more it has nothing to say.
    pub(super) most: usize,
}

/// The lines of each block, in the order of the wishes: first the least for all, then more, both by rank.
pub(super) fn share(lines: usize, wishes: &[Wish]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..wishes.len()).collect();
    order.sort_by_key(|&index| wishes[index].rank);
    let mut given = vec![0; wishes.len()];
    let mut left = lines;
    for &index in &order {
        let least = wishes[index].least.min(wishes[index].most);
        if least <= left {
            given[index] = least;
            left -= least;
        }
    }
    for &index in &order {
        if given[index] > 0 {
            let more = (wishes[index].most - given[index]).min(left);
            given[index] += more;
            left -= more;
        }
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_for_all_comes_before_more_for_some() {
        let wish = |rank, least, most| Wish { rank, least, most };
        let wishes = [wish(0, 1, 1), wish(1, 3, 100), wish(3, 2, 5), wish(2, 2, 8)];
        let table = [
            (0, [0, 0, 0, 0]),
            (3, [1, 0, 0, 2]),
            (4, [1, 3, 0, 0]),
            (7, [1, 4, 0, 2]),
            (8, [1, 3, 2, 2]),
            (20, [1, 15, 2, 2]),
            (200, [1, 100, 5, 8]),
        ];
        for (lines, shares) in table {
            assert_eq!(share(lines, &wishes), shares, "{lines} lines");
        }
        assert_eq!(share(9, &[wish(0, 2, 0)]), [0], "a block without anything to say");
    }
}
