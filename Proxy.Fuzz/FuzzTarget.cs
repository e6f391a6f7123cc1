namespace TorBalancer.Fuzz;

/// <summary>A parser of what comes from outside, and what must hold of it whatever comes.</summary>
/// <param name="Name">As the command line and the folders of the corpus call it.</param>
/// <param name="Check">Throws when something does not hold: <see cref="BrokenPropertyException"/>, or what the parser let out.</param>
/// <param name="MaxLength">Bytes of the longest input that is tried: enough for every branch, and below the parsers' own limits.</param>
internal sealed record FuzzTarget(string Name, Action<byte[]> Check, int MaxLength = 4096)
{
    /// <summary>
    /// What one input may take: a configuration, read twice with everything that is wrong with it, takes a tenth. It is allocated memory,
    /// not held memory, so it bounds the time as well.
    /// </summary>
    private const long MostBytes = 64 << 20;

    /// <summary>Tries one input; one that is too long is passed over.</summary>
    public void Run(byte[] input)
    {
        if (input.Length > MaxLength)
            return;
        long before = GC.GetAllocatedBytesForCurrentThread();
        Check(input);
        long taken = GC.GetAllocatedBytesForCurrentThread() - before;
        Expect.That(taken <= MostBytes, $"{input.Length} bytes of input take no more than {MostBytes} bytes of memory, but {taken}");
    }
}
