using System.Buffers;
using System.Text;
using BenchmarkDotNet.Attributes;
using TorBalancer.Benchmarks.Support;
using TorBalancer.Protocols.Http;

namespace TorBalancer.Benchmarks.Protocols;

/// <summary>Request heads: what a tunnelling client sends, what a browser sends, and the latter in pieces.</summary>
[MemoryDiagnoser]
public class HttpRequestBenchmark
{
    private const int PieceSize = 100;

    private readonly HttpRequestHead _head = new();
    private ReadOnlySequence<byte> _connect, _browser, _browserInPieces;

    [GlobalSetup]
    public void Setup()
    {
        _connect = new ReadOnlySequence<byte>("CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\n"u8.ToArray());
        byte[] browser = Encoding.ASCII.GetBytes(
            "GET http://www.example.com/articles/2026/some-page?id=42 HTTP/1.1\r\nHost: www.example.com\r\n"
            + "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n"
            + "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n"
            + "Accept-Encoding: gzip, deflate\r\nProxy-Connection: keep-alive\r\nConnection: keep-alive\r\n"
            + "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\nUpgrade-Insecure-Requests: 1\r\n\r\n");
        _browser = new ReadOnlySequence<byte>(browser);
        _browserInPieces = Pieces.Of(browser, PieceSize);
    }

    [GlobalCleanup]
    public void Cleanup() => _head.Dispose();

    [Benchmark(Baseline = true)]
    public int Connect() => Parse(_connect);

    [Benchmark]
    public int Browser() => Parse(_browser);

    [Benchmark]
    public int BrowserInPieces() => Parse(_browserInPieces);

    private int Parse(ReadOnlySequence<byte> buffer)
    {
        var scanner = HttpHeadScanner.ForRequest();
        if (HttpRequestParser.TryParse(ref buffer, ref scanner, _head, out _) != HttpParseStatus.Complete)
            throw new InvalidOperationException("the request is not understood");
        int port = _head.Target.Port;
        _head.Clear();
        return port;
    }
}
