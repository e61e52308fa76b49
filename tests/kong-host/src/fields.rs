//! A list of header fields with nginx's habits.

/// One field, as it came.
#[derive(Debug, Clone)]
struct Field {
    name: String,
    value: Vec<u8>,
    /// Filters do not see it any more; the wire still does.
    hidden: bool,
}

/// Header fields in order, with duplicates and the case they came in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Vec<Field>);

impl Fields {
    pub(crate) fn new(pairs: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| Field { name, value, hidden: false }).collect())
    }

    /// The first copy that a filter can see.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.visible().find(|(it, _)| same(it, name)).map(|(_, value)| value)
    }

    /// What `get_map` lists.
    pub(crate) fn visible(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().filter(|it| !it.hidden).map(|it| (it.name.as_str(), it.value.as_slice()))
    }

    /// What a request takes along to the upstream: hidden fields too, with the value they came with.
    pub(crate) fn wire(&self) -> Vec<(String, Vec<u8>)> {
        self.0.iter().map(|it| (it.name.clone(), it.value.clone())).collect()
    }

    /// Overwrites the first copy. The others are hidden from filters and stay on the wire.
    pub(crate) fn set(&mut self, name: &[u8], value: &[u8]) {
        let mut written = false;
        for field in self.0.iter_mut().filter(|it| !it.hidden && same(&it.name, name)) {
            if written {
                field.hidden = true;
            } else {
                field.value = value.to_vec();
                written = true;
            }
        }
        if !written {
            self.add(name, value);
        }
    }

    pub(crate) fn add(&mut self, name: &[u8], value: &[u8]) {
        let name = String::from_utf8_lossy(name).into_owned();
        self.0.push(Field { name, value: value.to_vec(), hidden: false });
    }

    /// Hides all copies from filters: what `set_http_request_header(name, None)` comes to.
    pub(crate) fn hide(&mut self, name: &[u8]) {
        self.0.iter_mut().filter(|it| same(&it.name, name)).for_each(|it| it.hidden = true);
    }

    /// Takes all copies away: what the same call comes to for a response.
    pub(crate) fn remove(&mut self, name: &[u8]) {
        self.0.retain(|it| !same(&it.name, name));
    }
}

fn same(name: &str, other: &[u8]) -> bool {
    name.as_bytes().eq_ignore_ascii_case(other)
}
