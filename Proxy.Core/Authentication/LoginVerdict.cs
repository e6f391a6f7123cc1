namespace TorBalancer.Authentication;

/// <summary>What is said to a name and a password.</summary>
internal enum LoginVerdict : byte
{
    Wrong,
    Right,

    /// <summary>A hash has to be computed first.</summary>
    Pending,

    /// <summary>So many were wrong that this one was not looked at.</summary>
    TooMany,

    /// <summary>Too many hashes were waited for, or for too long.</summary>
    Overloaded,

    /// <summary>The system's library failed, which the log says.</summary>
    Failed,
}
