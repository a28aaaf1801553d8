//! The C interface: the page's only way in.
#![allow(unsafe_code)]

/// Memory for a call of `len` bytes, to be given to [`ol_call`].
#[no_mangle]
pub extern "C" fn ol_alloc(len: usize) -> *mut u8 {
    Box::into_raw(vec![0u8; len].into_boxed_slice()).cast()
}

/// Takes an answer's memory back.
///
/// # Safety
/// `start` and `len` must be those of one [`ol_call`] or [`ol_alloc`], not freed before.
#[no_mangle]
pub unsafe extern "C" fn ol_free(start: *mut u8, len: usize) {
    // SAFETY: the caller hands back what `Box::into_raw` gave out.
    drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(start, len)) });
}

/// Answers the call that was written to `start`, whose memory it takes back. The answer's place in the
/// upper 32 bits, its length in the lower; the page frees it with [`ol_free`].
///
/// # Safety
/// `start` and `len` must be those of one [`ol_alloc`], not freed before.
#[no_mangle]
pub unsafe extern "C" fn ol_call(start: *mut u8, len: usize) -> u64 {
    // SAFETY: the caller hands back what `ol_alloc` gave out.
    let call = unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(start, len)) };
    let answer = crate::answer(&call);
    let bytes = serde_json::to_vec(&answer).unwrap_or_default().into_boxed_slice();
    let length = bytes.len() as u64;
    let place = Box::into_raw(bytes).cast::<u8>() as usize as u64;
    place << 32 | length
}
