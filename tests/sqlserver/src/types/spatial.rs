//! `geography` and `geometry`: the bytes as stored, and what the type's methods say of them.

/// A value of a spatial type. Points are worked out; of any other shape the stored bytes and the answers are given.
#[derive(Clone, Debug, PartialEq)]
pub struct Spatial {
    /// The bytes as stored and sent (MS-SSCLRT).
    pub raw: Vec<u8>,
    /// What `AsBinaryZM()` returns.
    pub wkb: Vec<u8>,
    /// What `STSrid` returns.
    pub srid: i32,
    /// What `STGeometryType()` returns.
    pub shape: String,
    /// What `ToString()` returns: well-known text, with Z and M.
    pub text: String,
}

const VALID: u8 = 0x04;
const SINGLE_POINT: u8 = 0x08;

impl Spatial {
    /// A point of a `geometry` column, with Z and M where it has them.
    pub fn geometry_point(srid: i32, (x, y): (f64, f64), z: Option<f64>, m: Option<f64>) -> Spatial {
        point(srid, (x, y), (x, y), (z, m))
    }

    /// A point of a `geography` column: longitude and latitude. Stored the other way around.
    pub fn geography_point(srid: i32, (longitude, latitude): (f64, f64), z: Option<f64>, m: Option<f64>) -> Spatial {
        point(srid, (latitude, longitude), (longitude, latitude), (z, m))
    }

    /// The whole globe, which well-known binary has no standard form for.
    pub fn full_globe(srid: i32) -> Spatial {
        // Version 2: one shape without figures, of type 11.
        let mut raw = header(srid, 2, VALID | 0x20);
        raw.extend([0; 8]);
        raw.extend(1u32.to_le_bytes());
        raw.extend([0xFF; 8]);
        raw.push(11);
        let wkb = vec![1, 126, 0, 0, 0];
        Spatial { raw, wkb, srid, shape: "FullGlobe".into(), text: "FULLGLOBE".into() }
    }

    /// Any other shape: its bytes as stored, well-known binary and text.
    pub fn given(raw: &[u8], wkb: &[u8], srid: i32, shape: &str, text: &str) -> Spatial {
        Spatial { raw: raw.to_vec(), wkb: wkb.to_vec(), srid, shape: shape.into(), text: text.into() }
    }
}

fn header(srid: i32, version: u8, properties: u8) -> Vec<u8> {
    let mut raw = srid.to_le_bytes().to_vec();
    raw.extend([version, properties]);
    raw
}

fn point(srid: i32, stored: (f64, f64), shown: (f64, f64), (z, m): (Option<f64>, Option<f64>)) -> Spatial {
    let mut raw = header(srid, 1, VALID | SINGLE_POINT | u8::from(z.is_some()) | u8::from(m.is_some()) << 1);
    let code = 1 + 1000 * u32::from(z.is_some()) + 2000 * u32::from(m.is_some());
    let mut wkb = vec![1];
    wkb.extend(code.to_le_bytes());
    raw.extend([stored.0, stored.1].into_iter().chain(z).chain(m).flat_map(f64::to_le_bytes));
    wkb.extend([shown.0, shown.1].into_iter().chain(z).chain(m).flat_map(f64::to_le_bytes));
    let mut text = format!("POINT ({} {}", shown.0, shown.1);
    match (z, m) {
        (Some(z), Some(m)) => text.push_str(&format!(" {z} {m}")),
        (Some(z), None) => text.push_str(&format!(" {z}")),
        (None, Some(m)) => text.push_str(&format!(" NULL {m}")),
        (None, None) => {}
    }
    text.push(')');
    Spatial { raw, wkb, srid, shape: "Point".into(), text }
}
