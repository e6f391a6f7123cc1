namespace TorBalancer.Primitives;

/// <summary>
/// A value of several words that one thread at a time writes and any thread reads whole: a plain field of that size may be read half old,
/// half new. A sequence lock: it neither allocates nor waits when it is written; who reads meanwhile reads again. A field, never a property
/// or readonly: a copy is another one.
/// </summary>
internal struct Published<T>
{
    // Odd while it is written.
    private int _writes;
    private T _value;

    /// <summary>From any thread: the latest value that was written completely.</summary>
    public readonly T Read()
    {
        var wait = default(SpinWait);
        while (true)
        {
            int before = Volatile.Read(in _writes);
            var value = _value;
            Volatile.ReadBarrier();
            if (before % 2 == 0 && before == Volatile.Read(in _writes))
                return value;
            wait.SpinOnce();
        }
    }

    /// <summary>Of one thread at a time.</summary>
    public void Write(in T value)
    {
        int writes = _writes;
        _writes = writes + 1;
        Volatile.WriteBarrier();
        _value = value;
        Volatile.Write(ref _writes, writes + 2);
    }
}
