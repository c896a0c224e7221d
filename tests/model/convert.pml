/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conversions as memory/engine.c runs them, for spin: processors that convert overlapping and
 * disjoint ranges, a borrower, a device that does DMA to whatever is mapped, and a kernel that
 * may fail any operation, and some of them half-way. The device is there from the start, or comes
 * and goes part by part (memory/dma_attach.c). The arcs are those of memory/convert.c
 * (ARC_OP and ARC_NEXT: see arcs.c).
 *
 * A set of pages is a bit mask. What must hold is asserted after every step; the numbers are
 * those of the invariants in docs/ARCHITECTURE.md.
 *
 * Switches:
 *   PAGES=n    2 or 3
 *   PAIRED     two backings; else in place
 *   PATIENT    nobody gives up waiting, everybody has a fixed number of things to do: a wake-up
 *              that is lost shows as a deadlock
 *   HURRY      everybody gives up at the first wait (fewer states)
 *   PLUG       the device comes and goes
 *   LIVE       with a claim that every request is answered
 * and those that make a bad twin of the engine: NO_BORROW_WAIT BORROW_IN_CLAIM CLAIMS_OVERLAP
 * NO_WAKE PLUG_WITHOUT_CLAIM DMA_ABOVE WHOLE_RANGE_DMA WHOLE_RANGE_BACK DISCARD_IN_PART RELEASE_EARLY NOT_BROKEN
 */
#include "arcs.pml"

#ifndef PAGES
#define PAGES 3
#endif
#define ALL	 ((1 << PAGES) - 1)
#define N_TODO	  2 /* PATIENT: requests of each */
#define WAITS_MAX 1 /* of each kind that are over before the time is up */

#define SHARED	false
#define PRIVATE true

/* The kernel's. */
byte kvm_private;	/* attribute */
/* For devices; where conversions map and unmap; what of that is being moved, or is to be. */
#ifdef PLUG
byte mapped;
byte below;
byte moving;
byte plug_claim;
bool plug_waiting;
#define BELOW below
#else
byte mapped = ALL;
#define BELOW	   ALL
#define moving	   0
#define plug_claim 0
#endif
byte shared_half = ALL; /* PAIRED: is there memory? */
byte private_half;
/* Ours: memory/sides.c. */
byte side_private;
byte side_broken;
/* PAIRED: contents that are gone, though their page has not changed sides. */
byte lost;
/* Under the lock of struct guest_memory. */
byte claim[2];
bool to[2];
bool waiting[2];
byte borrow;

bool asked[2];

/* The pages that a conversion has to change; all others must not notice. */
#define PIECES(i) (claim[i] & (side_private ^ (ALL * to[i])))
#define QUIET	  (ALL & ~(PIECES(0) | PIECES(1) | side_broken | moving))

/* 3: the map's side is KVM's. 2 and 5: what is shared is mapped, without a break. */
#define SIDES_HOLD(m) \
	((kvm_private & (m)) == (side_private & (m)) && (mapped & (m)) == (~side_private & BELOW & (m)))
/* 6: the half in use has its contents, the other no memory. */
#ifdef PAIRED
#define HALVES_HOLD(m) \
	((shared_half & (m)) == (~side_private & (m)) && \
	 (private_half & (m)) == (side_private & (m)) && (lost & (m)) == 0)
#define touch(half, pages) half = half | (pages)
#else
#define HALVES_HOLD(m)	   true
#define touch(half, pages) skip
#endif

/* 1: what is private is neither mapped nor borrowed: always, and broken or not. */
inline check()
{
	assert((kvm_private & mapped) == 0);
	assert((kvm_private & borrow) == 0);
	assert((claim[0] & claim[1]) == 0);
	assert((moving & (claim[0] | claim[1])) == 0);
	assert(SIDES_HOLD(QUIET));
	assert(HALVES_HOLD(QUIET))
}

/* 4: at an end that is not broken, nothing is half done. */
inline check_end(i)
{
	assert(SIDES_HOLD(claim[i]));
	assert(HALVES_HOLD(claim[i]))
}

inline choose_range(ret)
{
	if
	:: ret = 1
	:: ret = 2
	:: ret = 3
#if PAGES == 3
	:: ret = 4
	:: ret = 6
	:: ret = 7
#endif
	fi
}

inline choose_part(whole, ret)
{
	ret = 0;
	if
	:: (whole) & 1 -> ret = ret | 1
	:: true
	fi;
	if
	:: (whole) & 2 -> ret = ret | 2
	:: true
	fi;
	if
	:: (whole) & 4 -> ret = ret | 4
	:: true
	fi
}

/* How an operation on the pages of @whole goes, and which of them it reaches. */
inline choose_result(whole, is_one_call)
{
	if
	:: result = RESULT_OK;
		pages = whole
	:: result = RESULT_AGAIN
	:: result = RESULT_FAIL
	fi;
	if
	:: result != RESULT_OK && !(is_one_call) -> choose_part(whole, pages)
	:: else
	fi
}

/* To devices: area by area. */
inline choose_dma(i)
{
#ifdef WHOLE_RANGE_DMA
	choose_result(claim[i], false)
#else
#ifdef DMA_ABOVE
	choose_result(PIECES(i), false)
#else
	choose_result(PIECES(i) & BELOW, false)
#endif
#endif
}

/* One call for the whole range on the way there; on the way back, one for each piece. */
inline choose_there_and_back(i, is_there)
{
	if
	:: is_there -> choose_result(claim[i], true)
#ifdef WHOLE_RANGE_BACK
	:: else -> choose_result(claim[i], false)
#else
	:: else -> choose_result(PIECES(i), false)
#endif
	fi
}

inline choose_discard(i, is_there)
{
#ifdef DISCARD_IN_PART
	choose_result(claim[i], false)
#else
	choose_there_and_back(i, is_there)
#endif
}

inline back_off()
{
	if
	:: n_waits < WAITS_MAX ->
		n_waits++;
		result = RESULT_OK
	:: result = RESULT_AGAIN
	fi
}

/* conversion_apply. The guest uses what it can reach, so there is memory from then on. */
inline apply(i)
{
	if
	:: op == OP_DMA_UNMAP ->
		choose_dma(i);
		mapped = mapped & ~pages
	:: op == OP_DMA_MAP ->
		choose_dma(i);
		mapped = mapped | pages;
		touch(shared_half, pages)
	:: op == OP_SET_PRIVATE ->
		choose_there_and_back(i, to[i] == PRIVATE);
		kvm_private = kvm_private | pages;
		touch(private_half, pages)
	:: op == OP_SET_SHARED ->
		choose_there_and_back(i, to[i] == SHARED);
		kvm_private = kvm_private & ~pages;
		touch(shared_half, pages)
#ifdef PAIRED
	:: op == OP_DISCARD_SHARED ->
		choose_discard(i, to[i] == PRIVATE);
		shared_half = shared_half & ~pages;
		lost = lost | (pages & ~side_private)
	:: op == OP_DISCARD_PRIVATE ->
		choose_discard(i, to[i] == SHARED);
		private_half = private_half & ~pages;
		lost = lost | (pages & side_private)
#else
	:: op == OP_DISCARD_SHARED || op == OP_DISCARD_PRIVATE -> result = RESULT_OK
#endif
	:: op == OP_WAIT -> back_off()
	fi;
	pages = 0
}

/* The end of conversion_run. */
inline commit(i)
{
	if
	:: state == CONVERT_DONE ->
		lost = lost & ~PIECES(i);
		if
		:: to[i] == PRIVATE -> side_private = side_private | claim[i]
		:: else -> side_private = side_private & ~claim[i]
		fi;
		check_end(i)
	:: state == CONVERT_BROKEN ->
#ifdef NOT_BROKEN
		skip
#else
		/* Devices lose it, or what the kernel lets us take of it. */
		if
		:: mapped = mapped & ~PIECES(i)
		:: true
		fi;
		side_broken = side_broken | PIECES(i)
#endif
	:: else -> check_end(i)
	fi
}

inline wake()
{
#ifdef NO_WAKE
	skip
#else
	waiting[0] = false;
	waiting[1] = false;
#ifdef PLUG
	plug_waiting = false
#endif
#endif
}

inline release(i)
{
	claim[i] = 0;
	to[i] = SHARED;
	wake()
}

#ifdef CLAIMS_OVERLAP
#define IS_CLAIMED(i, pages) false
#else
#define IS_CLAIMED(i, pages) (((claim[1 - i] | plug_claim) & pages) != 0)
#endif
#ifdef NO_BORROW_WAIT
#define IS_BORROWED(i) false
#else
#define IS_BORROWED(i) (to[i] == PRIVATE && (borrow & claim[i]) != 0)
#endif
#define TO_PRIVATE (claim[0] * to[0] | claim[1] * to[1])
#ifdef BORROW_IN_CLAIM
#define IS_ADMITTED(pages) ((pages & (side_private | side_broken)) == 0)
#else
#define IS_ADMITTED(pages) \
	((pages & (side_private | side_broken | TO_PRIVATE)) == 0)
#endif

/* How many things a process does, and whether it waits for ever. */
#ifdef PATIENT
#define FOR_EACH_TURN n_done < N_TODO -> n_done++
#define HAS_TIME      true
#define count_wait()  skip
#define TIME_IS_UP    false
#else
#define FOR_EACH_TURN true
#ifdef HURRY
#define HAS_TIME      false
#else
#define HAS_TIME      (n_waits < WAITS_MAX)
#endif
#define count_wait()  n_waits++
#define TIME_IS_UP    true /* at any time, but in the end for certain */
#endif

/* A vCPU's thread in guest_convert, again and again. */
proctype vcpu(byte i)
{
	byte pages, state, op, result, n_waits, n_done;
	bool wanted;

	do
	:: FOR_EACH_TURN;
		atomic {
			choose_range(pages);
			if
			:: wanted = SHARED
			:: wanted = PRIVATE
			fi;
			asked[i] = true
		}
		/* conversion_claim: nothing can happen between the look and the wait. */
		do
		:: atomic {
			!IS_CLAIMED(i, pages) ->
			claim[i] = pages;
			to[i] = wanted;
			n_waits = 0;
			break
		   }
		:: atomic {
			IS_CLAIMED(i, pages) ->
			waiting[i] = true
		   };
		   if
		   :: atomic {
			HAS_TIME && !waiting[i] ->
			count_wait()
		      }
		   :: atomic {
			TIME_IS_UP ->
			waiting[i] = false;
			goto answer
		      }
		   fi
		od;
		pages = 0;
		/* conversion_begin; to shared no borrow is waited for. */
		if
		:: (claim[i] & side_broken) != 0 || PIECES(i) == 0 -> goto let_go
		:: else
		fi;
		do
		:: atomic {
			!IS_BORROWED(i) ->
			n_waits = 0;
			break
		   }
		:: atomic {
			IS_BORROWED(i) ->
			waiting[i] = true
		   };
		   if
		   :: atomic {
			HAS_TIME && !waiting[i] ->
			count_wait()
		      }
		   :: atomic {
			TIME_IS_UP ->
			waiting[i] = false;
			goto let_go
		      }
		   fi
		od;
		/* conversion_run */
		state = (to[i] == PRIVATE -> FIRST_TO_PRIVATE : FIRST_TO_SHARED);
		do
		:: atomic {
			ARC_OP(state) != OP_NONE ->
			op = ARC_OP(state);
			apply(i);
			state = ARC_NEXT(state, result);
			op = 0;
			result = 0;
			check()
		   }
		:: ARC_OP(state) == OP_NONE -> break
		od;
#ifdef RELEASE_EARLY
		atomic {
			pages = claim[i];
			wanted = to[i];
			release(i)
		}
		atomic {
			claim[i] = pages;
			to[i] = wanted
		}
#endif
		atomic {
			commit(i);
			check()
		}
let_go:		atomic {
			release(i);
			check();
answer:			asked[i] = false;
			wanted = SHARED;
			pages = 0;
			state = 0;
			n_waits = 0
		}
#ifdef PATIENT
	:: n_done == N_TODO -> break
#endif
	od
}

/* guest_borrow: granted or refused at once, it never waits; guest_return. */
proctype borrower()
{
	byte pages, n_done;

	do
	:: FOR_EACH_TURN;
		atomic {
			choose_range(pages);
			if
			:: IS_ADMITTED(pages) -> borrow = pages
			:: else
			fi;
			pages = 0;
			check()
		}
		atomic {
			if
			:: (borrow & TO_PRIVATE) != 0 -> wake()
			:: else
			fi;
			borrow = 0
		}
#ifdef PATIENT
	:: n_done == N_TODO -> break
#endif
	od
}

#ifdef PLUG
#ifdef PLUG_WITHOUT_CLAIM
#define CLAIMED_NOW 0
#else
#define CLAIMED_NOW (claim[0] | claim[1])
#endif

/* claim_take: who comes later waits. */
inline plug_take()
{
	atomic {
		plug_claim = part
	}
	do
	:: atomic {
		(CLAIMED_NOW & part) == 0 ->
		moving = part;
		break
	   }
	:: atomic {
		(CLAIMED_NOW & part) != 0 ->
		plug_waiting = true
	   };
	   !plug_waiting
	od
}

inline plug_release()
{
	moving = 0;
	plug_claim = 0;
	wake();
	check()
}

/* The first device comes, the last one goes; a part is a page. */
proctype plug()
{
	byte part, pages, result, n_done;

	do
	:: FOR_EACH_TURN;
		part = 1;
		/* part_add; on failure nothing of the part stays mapped. */
		do
		:: (part & ALL) != 0 ->
			plug_take();
			atomic {
				below = below | part;
				check()
			}
			atomic {
				choose_result(part & ~(side_private | side_broken), true);
				mapped = mapped | pages;
				touch(shared_half, pages);
				check()
			}
			atomic {
				if
				:: result != RESULT_OK -> below = below & ~part
				:: else
				fi;
				pages = 0;
				plug_release()
			}
			if
			:: result != RESULT_OK -> break
			:: else -> part = part << 1
			fi
		:: (part & ALL) == 0 -> break
		od;
		result = 0;
		part = part >> 1;
		/* part_remove */
		do
		:: part != 0 ->
			plug_take();
			atomic {
				mapped = mapped & ~part;
				check()
			}
			atomic {
				below = below & ~part;
				plug_release()
			}
			part = part >> 1
		:: part == 0 -> break
		od;
		assert(mapped == 0)
#ifdef PATIENT
	:: n_done == N_TODO -> break
#endif
	od
}
#endif

/* DMA to all that is mapped: it comes into being, and must not be private. */
proctype device()
{
end:	do
	:: atomic {
		mapped != 0 ->
		assert((mapped & kvm_private) == 0);
		touch(shared_half, mapped)
	   }
	od
}

init
{
	atomic {
		run vcpu(0);
		run vcpu(1);
		run borrower();
#ifdef PLUG
		run plug();
#endif
		run device()
	}
}

#ifdef LIVE
ltl answered { [] ((asked[0] -> <> !asked[0]) && (asked[1] -> <> !asked[1])) }
#endif
