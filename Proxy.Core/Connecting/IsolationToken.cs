using System.Text;

namespace TorBalancer.Connecting;

/// <summary>
/// What is sent to a worker as SOCKS user name and password so that tor keeps circuits apart (IsolateSOCKSAuth). The user
/// name is the one that proposal 351 sets aside for it, <c>&lt;torS0X&gt;0</c>; older tor takes it as a plain name.
/// </summary>
/// <param name="Password">32 hexadecimal digits; null: no credentials are sent and everything shares circuits.</param>
internal readonly record struct IsolationToken(string? Password)
{
    public static ReadOnlySpan<byte> UserName => "<torS0X>0"u8;

    public static IsolationToken None => default;

    public bool IsNone => Password is null;

    public int CopyPasswordTo(Span<byte> output) => Encoding.ASCII.GetBytes(Password!, output);
}
