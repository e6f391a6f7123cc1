using System.Net;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Primitives;

namespace TorBalancer.Tests.Support;

/// <summary>A SOCKS client that shows every byte of the answers.</summary>
internal static class SocksClient
{
    /// <summary>Greets (with credentials if given), asks, and returns the whole reply frame.</summary>
    public static async Task<byte[]> RequestAsync(
        NetworkStream stream, string host, int port, CancellationToken token, string? user = null, string? password = null,
        byte command = 1)
    {
        await GreetAsync(stream, user, password, token);
        await stream.WriteAsync(Request(host, port, command), token);
        return await ReadReplyAsync(stream, token);
    }

    public static async Task GreetAsync(NetworkStream stream, string? user, string? password, CancellationToken token)
    {
        await stream.WriteAsync(user is null ? [5, 1, 0] : new byte[] { 5, 1, 2 }, token);
        var choice = await ReadAsync(stream, 2, token);
        Assert.That(choice, Is.EqualTo(new byte[] { 5, (byte)(user is null ? 0 : 2) }));
        if (user is null)
            return;
        await stream.WriteAsync(Auth(user, password ?? ""), token);
        Assert.That(await ReadAsync(stream, 2, token), Is.EqualTo(new byte[] { 1, 0 }));
    }

    public static byte[] Auth(string user, string password) =>
        [1, (byte)user.Length, .. Encoding.Latin1.GetBytes(user), (byte)password.Length, .. Encoding.Latin1.GetBytes(password)];

    public static byte[] Request(string host, int port, byte command = 1)
    {
        // As it is written: an IPv4-mapped one is IPv6 on the wire.
        byte[] address = AddressLiteral.TryParse(host, out _) && IPAddress.Parse(host) is var ip
            ? [(byte)(ip.AddressFamily == AddressFamily.InterNetwork ? 1 : 4), .. ip.GetAddressBytes()]
            : [3, (byte)host.Length, .. Encoding.Latin1.GetBytes(host)];
        return [5, command, 0, .. address, (byte)(port >> 8), (byte)port];
    }

    public static async Task<byte[]> ReadReplyAsync(NetworkStream stream, CancellationToken token)
    {
        var head = await ReadAsync(stream, 4, token);
        int length = head[3] switch
        {
            1 => 4,
            4 => 16,
            3 => 1,
            _ => throw new InvalidDataException($"ATYP {head[3]}"),
        };
        var rest = await ReadAsync(stream, length, token);
        if (head[3] == 3)
            rest = [.. rest, .. await ReadAsync(stream, rest[0], token)];
        return [.. head, .. rest, .. await ReadAsync(stream, 2, token)];
    }

    public static async Task<byte[]> ReadAsync(NetworkStream stream, int count, CancellationToken token)
    {
        var buffer = new byte[count];
        await stream.ReadExactlyAsync(buffer, token);
        return buffer;
    }

    public static async Task<byte[]> ReadToEndAsync(NetworkStream stream, CancellationToken token)
    {
        using var memory = new MemoryStream();
        await stream.CopyToAsync(memory, token);
        return memory.ToArray();
    }
}
