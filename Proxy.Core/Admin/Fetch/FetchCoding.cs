namespace TorBalancer.Admin.Fetch;

/// <summary>A content coding that can be undone.</summary>
internal enum FetchCoding : byte
{
    Gzip,
    Deflate,
    Brotli,
}
