//! Memory that is given back when it is not needed any more.

use std::ptr::{with_exposed_provenance, with_exposed_provenance_mut};

use windows_sys::Win32::System::Memory::{
    DiscardVirtualMemory, MEM_COMMIT, MEMORY_BASIC_INFORMATION, PAGE_READWRITE, VirtualQuery,
};
use windows_sys::Win32::System::Threading::GetCurrentThreadStackLimits;

/// What is left below us for the calls that we make, and for whatever interrupts them.
const KEPT: usize = 32 * 1024;

/// Memory is discarded by whole pages.
const PAGE: usize = 4096;

/// The system takes what it needs by itself.
pub const fn be_frugal() {}

/// Gives back what the start took of this thread's stack.
pub fn give_back() {
    stack_below();
}

/// Gives back the memory of this thread's stack below what it uses now, and tells how much of it there was. It is there
/// again, with anything in it, when it is used.
///
/// A thread that will wait for most of its life has no use for what the way there took. Under Wine that is much: it clears
/// 960 KiB of a stack before the thread begins.
#[inline(never)] // Else `high` might be far above the end of a caller's frame.
pub(super) fn stack_below() -> usize {
    let (mut low, mut high) = (0, 0);
    // SAFETY: the pointers are to living integers.
    unsafe { GetCurrentThreadStackLimits(&raw mut low, &raw mut high) };
    let end = (&raw const high).addr().saturating_sub(KEPT) / PAGE * PAGE;
    let (mut at, mut given) = (low, 0);
    while at < end {
        let mut region = MEMORY_BASIC_INFORMATION::default();
        // SAFETY: it only tells of an address; the structure is of that size.
        let told = unsafe {
            VirtualQuery(with_exposed_provenance(at), &raw mut region, size_of::<MEMORY_BASIC_INFORMATION>())
        };
        let next = region.BaseAddress.addr() + region.RegionSize;
        if told == 0 || next <= at {
            break;
        }
        // What is not committed has no memory, and the page that guards the stack is none of this kind.
        if region.State == MEM_COMMIT && region.Protect == PAGE_READWRITE {
            let length = next.min(end) - at;
            // SAFETY: pages of our own stack, below every frame that is in use: what is in them is nobody's.
            let failed = unsafe { DiscardVirtualMemory(with_exposed_provenance_mut(at), length) };
            given += if failed == 0 { length } else { 0 };
        }
        at = next;
    }
    given
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    fn deep(depth: u8) -> u64 {
        let piece = black_box([depth; 4096]);
        let below = if depth == 0 { 0 } else { deep(depth - 1) };
        below + piece.iter().map(|byte| u64::from(*byte)).sum::<u64>()
    }

    #[test]
    fn what_a_deep_call_took_is_given_back_and_can_be_used_again() {
        let kept = black_box([7u8; 4096]);
        let first = deep(100);
        let given = super::stack_below();
        assert!(given > 300 * 1024, "{given}");
        assert_eq!(deep(100), first);
        assert_eq!(kept, [7u8; 4096]);
    }
}
