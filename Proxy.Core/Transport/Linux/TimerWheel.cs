using System.Numerics;

namespace TorBalancer.Transport.Linux;

/// <summary>Something that wants to be told at a time. It is in at most one wheel, once.</summary>
internal abstract class LoopTimer
{
    internal LoopTimer? Previous, Next;
    internal int Slot = -1;

    /// <summary>When it is due, in milliseconds of the loop's clock.</summary>
    internal long Due { get; set; }

    /// <summary>True while it waits.</summary>
    internal bool IsSet => Slot >= 0;

    /// <summary>On the loop's thread, not before it is due.</summary>
    internal abstract void OnTimer();
}

/// <summary>
/// Timers of one loop: adding and removing take the same few steps whether there are ten or ten thousand. Four wheels of 64
/// slots; a slot is 10 ms, 640 ms, 41 s, 44 min wide. What is far away sits in a wide slot and moves to a narrower one when
/// that slot's time comes.
/// </summary>
internal sealed class TimerWheel(long now)
{
    private const int Levels = 4, SlotBits = 6, Slots = 1 << SlotBits, TickMilliseconds = 10;

    private readonly LoopTimer?[] _slots = new LoopTimer?[Levels * Slots];
    private readonly ulong[] _occupied = new ulong[Levels];
    private LoopTimer? _emptying;
    private long _tick = now / TickMilliseconds;

    public int Count { get; private set; }

    /// <param name="timer">One that is not set.</param>
    /// <param name="due">In milliseconds of the loop's clock; what is past is due at the next advance.</param>
    public void Add(LoopTimer timer, long due)
    {
        timer.Due = due;
        Count++;
        Insert(timer);
    }

    /// <summary>Removes it if it is set.</summary>
    public void Remove(LoopTimer timer)
    {
        if (!timer.IsSet)
            return;
        Unlink(timer);
        Count--;
    }

    /// <summary>How long the loop may sleep; -1 when nothing waits. Never later than the earliest timer's slot.</summary>
    public int MillisecondsToNext(long now)
    {
        if (Count == 0)
            return -1;
        long tick = long.MaxValue;
        for (int level = 0; level < Levels; level++)
        {
            if (_occupied[level] == 0)
                continue;
            int shift = level * SlotBits;
            long position = _tick >> shift;
            int ahead = BitOperations.TrailingZeroCount(BitOperations.RotateRight(_occupied[level], (int)((position + 1) % Slots))) + 1;
            tick = Math.Min(tick, (position + ahead) << shift);
        }

        return (int)Math.Clamp((tick * TickMilliseconds) - now, 0, int.MaxValue);
    }

    /// <summary>Tells every timer that is due by now.</summary>
    public void Advance(long now)
    {
        long target = now / TickMilliseconds;
        while (_tick < target)
        {
            if (Count == 0)
            {
                _tick = target;
                return;
            }

            // Nothing is due before the next occupied slot: skip to just before it.
            int wait = MillisecondsToNext(_tick * TickMilliseconds);
            long next = _tick + Math.Max(1, wait / TickMilliseconds);
            if (next > target)
            {
                _tick = target;
                return;
            }

            _tick = next;
            for (int level = Levels - 1; level >= 0; level--)
            {
                if ((_tick & ((1L << (level * SlotBits)) - 1)) == 0)
                    Empty((level * Slots) + (int)((_tick >> (level * SlotBits)) % Slots));
            }
        }
    }

    private void Empty(int slot)
    {
        // Taken out as a whole first: a timer that sets itself again may land in this very slot. What is told may remove any other.
        _emptying = _slots[slot];
        _slots[slot] = null;
        _occupied[slot / Slots] &= ~(1UL << (slot % Slots));
        while (_emptying is { } timer)
        {
            Unlink(timer);
            if (timer.Due <= _tick * TickMilliseconds)
            {
                Count--;
                timer.OnTimer();
            }
            else
            {
                Insert(timer);
            }
        }
    }

    private void Insert(LoopTimer timer)
    {
        // Rounded up, and never into the slot that is being emptied.
        long due = Math.Max((timer.Due + TickMilliseconds - 1) / TickMilliseconds, _tick + 1);
        long delta = due - _tick;
        int level = 0;
        while (level < Levels - 1 && delta >= 1L << ((level + 1) * SlotBits))
            level++;

        // A wide slot is emptied at its begin, so one that starts after the due time would be late: the one that holds it is taken.
        long position = due >> (level * SlotBits);
        long last = (_tick >> (level * SlotBits)) + Slots - 1;
        if (position > last)
            position = last;
        int slot = (level * Slots) + (int)(position % Slots);
        timer.Slot = slot;
        timer.Next = _slots[slot];
        if (timer.Next is not null)
            timer.Next.Previous = timer;
        _slots[slot] = timer;
        _occupied[level] |= 1UL << (slot % Slots);
    }

    private void Unlink(LoopTimer timer)
    {
        if (timer.Previous is not null)
            timer.Previous.Next = timer.Next;
        if (timer.Next is not null)
            timer.Next.Previous = timer.Previous;
        if (_emptying == timer)
            _emptying = timer.Next;
        if (_slots[timer.Slot] == timer)
        {
            _slots[timer.Slot] = timer.Next;
            if (timer.Next is null)
                _occupied[timer.Slot / Slots] &= ~(1UL << (timer.Slot % Slots));
        }

        timer.Previous = timer.Next = null;
        timer.Slot = -1;
    }
}
