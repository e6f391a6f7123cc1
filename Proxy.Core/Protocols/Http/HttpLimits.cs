namespace TorBalancer.Protocols.Http;

/// <summary>How much of a message is held in memory before it is refused. Bodies have no limit: they are never held.</summary>
internal static class HttpLimits
{
    /// <summary>Bytes of a request or response head, its empty line included. Memory grows with what comes, not with this.</summary>
    public const int HeadBytes = 128 * 1024;

    /// <summary>Bytes of a request line, its line end included.</summary>
    public const int RequestLineBytes = 16 * 1024;

    /// <summary>Field lines of a request or response head, folded lines included.</summary>
    public const int Fields = 1000;

    /// <summary>Names that all Connection fields of a request may list; of a response's, those that are heeded.</summary>
    public const int ConnectionOptions = 32;

    /// <summary>Bytes of one chunk-size line, extensions included.</summary>
    public const int ChunkLineBytes = 4 * 1024;

    /// <summary>Bytes of all chunk extensions of one body: nobody uses them but for wasting a proxy's time.</summary>
    public const int ChunkExtensionBytes = 64 * 1024;

    /// <summary>Bytes of a trailer section.</summary>
    public const int TrailerBytes = 16 * 1024;

    /// <summary>Field lines of a request's trailer section; those of a response's that go on.</summary>
    public const int TrailerFields = 64;

    /// <summary>White space and line ends in front of a status line: two empty lines, as some servers leave behind a body.</summary>
    public const int StatusLineSlop = 4;

    /// <summary>Interim (1xx) responses before the final one.</summary>
    public const int InterimResponses = 32;

    /// <summary>Bytes of an unwanted request body that are read and dropped so that the connection can be kept.</summary>
    public const int DrainBytes = 64 * 1024;

    /// <summary>Bytes that a client may send ahead (pipelining) while an answer is awaited; behind that it is not read.</summary>
    public const int ReadAheadBytes = 64 * 1024;

    /// <summary>How often a client may be told 407 on one connection.</summary>
    public const int AuthenticationAttempts = 8;

    /// <summary>How long a drain or the writing of our own short answers may take.</summary>
    public static readonly TimeSpan ClosingTimeout = TimeSpan.FromSeconds(5);
}
