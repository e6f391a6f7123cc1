namespace TorBalancer.Transport;

/// <summary>What the system says of a process' file descriptors.</summary>
internal interface IOpenDescriptors
{
    /// <summary>RLIMIT_NOFILE, the soft one; <see cref="int.MaxValue"/>: none.</summary>
    int Limit { get; }

    /// <summary>How many are open now.</summary>
    int Count();
}
