using System.Security.Cryptography;

namespace TorBalancer.TorControl.Warm;

/// <summary>
/// The SOCKS password of a health probe: new each time, so that each has a circuit of its own, and with a mark, so that probes are not
/// taken for demand.
/// </summary>
internal static class ProbeToken
{
    private const string Mark = "probe-";

    /// <summary>As long as a client's.</summary>
    private const int Length = 32;

    public static string Create() => Mark + RandomNumberGenerator.GetHexString(Length - Mark.Length, lowercase: true);

    public static bool Is(string? password) => password is not null && password.StartsWith(Mark, StringComparison.Ordinal);
}
