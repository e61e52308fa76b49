//! Which codes countries have, and how long their numbers are (ITU-T E.164).

/// What follows a country's code.
pub(super) struct Plan {
    /// How many digits the code has.
    pub(super) code: usize,
    /// The shortest and the longest number behind it.
    shortest: usize,
    longest: usize,
    /// We know the country, not only that its code is given.
    pub(super) known: bool,
}

/// Codes, and how long the numbers behind them are.
#[rustfmt::skip]
const PLANS: &[(&[u8], usize, usize)] = &[
    (b"1", 10, 10), (b"7", 10, 10), (b"20", 8, 10), (b"27", 9, 9), (b"30", 10, 10), (b"31", 9, 9), (b"32", 8, 9),
    (b"33", 9, 9), (b"34", 9, 9), (b"36", 8, 9), (b"39", 6, 11), (b"40", 9, 9), (b"41", 9, 9), (b"43", 6, 13),
    (b"44", 9, 10), (b"45", 8, 8), (b"46", 7, 10), (b"47", 8, 8), (b"48", 9, 9), (b"49", 6, 12), (b"51", 8, 9),
    (b"52", 10, 11), (b"53", 8, 8), (b"54", 10, 11), (b"55", 10, 11), (b"56", 9, 9), (b"57", 8, 10), (b"58", 10, 10),
    (b"60", 7, 10), (b"61", 9, 9), (b"62", 7, 12), (b"63", 8, 10), (b"64", 8, 10), (b"65", 8, 8), (b"66", 8, 9),
    (b"81", 9, 10), (b"82", 8, 10), (b"84", 9, 10), (b"86", 10, 11), (b"90", 10, 10), (b"91", 10, 10), (b"92", 9, 10),
    (b"93", 9, 9), (b"94", 9, 9), (b"95", 7, 10), (b"98", 10, 10), (b"212", 9, 9), (b"213", 8, 9), (b"216", 8, 8),
    (b"218", 8, 9), (b"221", 9, 9), (b"225", 10, 10), (b"233", 9, 9), (b"234", 8, 10), (b"237", 9, 9), (b"243", 9, 9),
    (b"250", 9, 9), (b"251", 9, 9), (b"254", 9, 10), (b"255", 9, 9), (b"256", 9, 9), (b"260", 9, 9), (b"263", 8, 9),
    (b"351", 9, 9), (b"352", 6, 9), (b"353", 7, 9), (b"354", 7, 9), (b"355", 8, 9), (b"356", 8, 8), (b"357", 8, 8),
    (b"358", 6, 11), (b"359", 7, 9), (b"370", 8, 8), (b"371", 8, 8), (b"372", 7, 8), (b"373", 8, 8), (b"374", 8, 8),
    (b"375", 9, 9), (b"376", 6, 9), (b"377", 8, 9), (b"380", 9, 9), (b"381", 8, 9), (b"382", 8, 8), (b"383", 8, 8),
    (b"385", 8, 9), (b"386", 8, 8), (b"387", 8, 9), (b"389", 8, 8), (b"420", 9, 9), (b"421", 9, 9), (b"423", 7, 9),
    (b"502", 8, 8), (b"503", 8, 8), (b"504", 8, 8), (b"505", 8, 8), (b"506", 8, 8), (b"507", 7, 8), (b"509", 8, 8),
    (b"591", 8, 8), (b"593", 8, 9), (b"595", 9, 9), (b"598", 8, 8), (b"852", 8, 8), (b"853", 8, 8), (b"855", 8, 9),
    (b"856", 8, 10), (b"880", 8, 10), (b"886", 8, 9), (b"960", 7, 7), (b"961", 7, 8), (b"962", 8, 9), (b"963", 8, 9),
    (b"964", 8, 10), (b"965", 8, 8), (b"966", 8, 9), (b"967", 7, 9), (b"968", 8, 8), (b"970", 8, 9), (b"971", 8, 9),
    (b"972", 8, 9), (b"973", 8, 8), (b"974", 8, 8), (b"975", 7, 8), (b"976", 8, 8), (b"977", 8, 10), (b"992", 9, 9),
    (b"993", 8, 8), (b"994", 9, 9), (b"995", 9, 9), (b"996", 9, 9), (b"998", 9, 9),
];

/// How the other codes begin that are given, all of three digits.
const OTHERS: [&[u8]; 22] = [
    b"21", b"22", b"23", b"24", b"25", b"26", b"29", b"35", b"37", b"38", b"42", b"50", b"59", b"67", b"68", b"69",
    b"80", b"85", b"87", b"88", b"96", b"97",
];

impl Plan {
    /// The plan of the country whose code `digits` begin with; digits are values.
    pub(super) fn of(digits: &[u8]) -> Option<Self> {
        let starts = |code: &[u8]| {
            digits.len() >= code.len() && code.iter().zip(digits).all(|(code, digit)| code.wrapping_sub(b'0') == *digit)
        };
        let plan = PLANS.iter().find(|(code, ..)| starts(code));
        let known = plan.map(|(code, shortest, longest)| (code.len(), *shortest, *longest, true));
        let other = || OTHERS.iter().any(|it| starts(it)).then_some((3, 6, 11, false));
        let (code, shortest, longest, known) = known.or_else(other)?;
        Some(Self { code, shortest, longest, known })
    }

    /// Whether a number of so many digits may follow the code.
    pub(super) fn fits(&self, digits: usize) -> bool {
        (self.shortest..=self.longest).contains(&digits)
    }
}
