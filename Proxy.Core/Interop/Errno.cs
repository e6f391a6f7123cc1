namespace TorBalancer.Interop;

/// <summary>Linux' error numbers, as far as anything here tells them apart (errno(3); asm-generic/errno-base.h and errno.h).</summary>
internal static class Errno
{
    /// <summary>EPERM.</summary>
    public const int NotPermitted = 1;

    /// <summary>ENOENT.</summary>
    public const int NoEntry = 2;

    /// <summary>ESRCH.</summary>
    public const int NoSuchProcess = 3;

    /// <summary>EINTR.</summary>
    public const int Interrupted = 4;

    /// <summary>EAGAIN, which is EWOULDBLOCK.</summary>
    public const int TryAgain = 11;

    /// <summary>ENOMEM.</summary>
    public const int NoMemory = 12;

    /// <summary>EACCES.</summary>
    public const int NoAccess = 13;

    /// <summary>EEXIST.</summary>
    public const int Exists = 17;

    /// <summary>ENODEV.</summary>
    public const int NoDevice = 19;

    /// <summary>ENOTDIR.</summary>
    public const int NotADirectory = 20;

    /// <summary>EINVAL.</summary>
    public const int InvalidArgument = 22;

    /// <summary>ENFILE: no descriptors left on this machine.</summary>
    public const int TableFull = 23;

    /// <summary>EMFILE: no descriptors left in this process.</summary>
    public const int TooManyOpen = 24;

    /// <summary>EPIPE.</summary>
    public const int BrokenPipe = 32;

    /// <summary>ELOOP.</summary>
    public const int TooManyLinks = 40;

    /// <summary>EAFNOSUPPORT.</summary>
    public const int FamilyNotSupported = 97;

    /// <summary>EADDRINUSE.</summary>
    public const int AddressInUse = 98;

    /// <summary>EADDRNOTAVAIL.</summary>
    public const int AddressNotAvailable = 99;

    /// <summary>ENETDOWN.</summary>
    public const int NetworkDown = 100;

    /// <summary>ENETUNREACH.</summary>
    public const int NetworkUnreachable = 101;

    /// <summary>ECONNABORTED.</summary>
    public const int ConnectionAborted = 103;

    /// <summary>ECONNRESET.</summary>
    public const int ConnectionReset = 104;

    /// <summary>ENOBUFS.</summary>
    public const int NoBuffers = 105;

    /// <summary>ENOTCONN.</summary>
    public const int NotConnected = 107;

    /// <summary>ETIMEDOUT.</summary>
    public const int TimedOut = 110;

    /// <summary>ECONNREFUSED.</summary>
    public const int ConnectionRefused = 111;

    /// <summary>EHOSTDOWN.</summary>
    public const int HostDown = 112;

    /// <summary>EHOSTUNREACH.</summary>
    public const int HostUnreachable = 113;

    /// <summary>EINPROGRESS.</summary>
    public const int InProgress = 115;
}
