using System.Text;

namespace TorBalancer.Benchmarks.SideBySide.Load;

/// <summary>What the clients of an HTTP load ask for, again and again.</summary>
/// <param name="Up">A PUT with a body and an answer without one; else a GET whose answer has the body.</param>
/// <param name="Bytes">Of the body.</param>
/// <param name="KeepAlive">All requests of a client on one connection; else a connection for each, which the client closes first.</param>
internal sealed record RequestShape(bool Up, int Bytes, bool KeepAlive)
{
    private const string Host = "bench.test";

    /// <summary>With what curl sends, so that there is something to leave out and something to leave alone.</summary>
    /// <param name="absolute">To a proxy; else as an origin gets it, which is what goes through a tunnel.</param>
    public byte[] Head(bool absolute) => Encoding.ASCII.GetBytes(
        $"{(Up ? "PUT" : "GET")} {(absolute ? $"http://{Host}" : "")}/{(Up ? 0 : Bytes)} HTTP/1.1\r\nHost: {Host}\r\n"
        + $"User-Agent: curl/8.5.0\r\nAccept: */*\r\n{(absolute ? "Proxy-Connection: Keep-Alive\r\n" : "")}"
        + $"{(Up ? $"Content-Length: {Bytes}\r\n" : "")}\r\n");

    public override string ToString() =>
        $"{(Up ? "PUT" : "GET")}, {Size}, {(KeepAlive ? "kept connections" : "new connections")}";

    private string Size => Bytes < 1024 ? $"{Bytes} bytes" : Bytes < 1024 * 1024 ? $"{Bytes / 1024} KiB" : $"{Bytes >> 20} MiB";
}
