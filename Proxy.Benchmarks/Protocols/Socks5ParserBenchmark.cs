using System.Buffers;
using System.Net;
using BenchmarkDotNet.Attributes;
using TorBalancer.Benchmarks.Support;
using TorBalancer.Primitives;
using TorBalancer.Protocols.Socks5;

namespace TorBalancer.Benchmarks.Protocols;

/// <summary>The messages of a SOCKS5 client, whole and in pieces of three bytes.</summary>
[MemoryDiagnoser]
public class Socks5ParserBenchmark
{
    private const int PieceSize = 3;

    private ReadOnlySequence<byte> _greeting, _auth, _address, _name, _nameInPieces;

    [GlobalSetup]
    public void Setup()
    {
        _greeting = new ReadOnlySequence<byte>([5, 2, 0, 2]);
        var frame = new byte[Socks5Writer.MaxMessageLength];
        _auth = new ReadOnlySequence<byte>(frame[..Socks5Writer.WriteAuth(frame, "session-abc"u8, "secret"u8)]);
        _address = new ReadOnlySequence<byte>(Request(HostEndPoint.FromAddress(IPAddress.Loopback, 443)));
        HostEndPoint.TryCreate("www.example.com", 443, out var name);
        _name = new ReadOnlySequence<byte>(Request(name));
        _nameInPieces = Pieces.Of(Request(name), PieceSize);
    }

    [Benchmark(Baseline = true)]
    public bool Greeting()
    {
        var reader = new SequenceReader<byte>(_greeting);
        Socks5Parser.TryParseGreeting(ref reader, out var greeting);
        return greeting.OffersNoAuth;
    }

    [Benchmark]
    public string Auth()
    {
        var reader = new SequenceReader<byte>(_auth);
        Socks5Parser.TryParseAuth(ref reader, out var credentials);
        return credentials!.User;
    }

    [Benchmark]
    public int RequestByAddress() => Parse(_address);

    [Benchmark]
    public int RequestByName() => Parse(_name);

    [Benchmark]
    public int RequestByNameInPieces() => Parse(_nameInPieces);

    private static int Parse(in ReadOnlySequence<byte> bytes)
    {
        var reader = new SequenceReader<byte>(bytes);
        Socks5Parser.TryParseMessage(ref reader, out var message);
        return message.Address.Port;
    }

    private static byte[] Request(HostEndPoint target)
    {
        var frame = new byte[Socks5Writer.MaxMessageLength];
        return frame[..Socks5Writer.WriteMessage(frame, Socks5.CommandConnect, target)];
    }
}
