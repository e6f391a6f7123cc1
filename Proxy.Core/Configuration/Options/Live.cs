namespace TorBalancer.Configuration.Options;

/// <summary>
/// A value of the configuration as it is now: immutable, and replaced as a whole by a reload. Whoever needs it reads it when it is
/// needed, by a volatile read without a lock; who needs it to stay the same for a while reads it once.
/// </summary>
internal abstract class Live<T>
{
    /// <summary>The value of this moment.</summary>
    public abstract T Value { get; }

    /// <summary>Another object for each value that there was.</summary>
    internal abstract object Version { get; }

    /// <summary>One that stays as it is, for whoever is made without a configuration.</summary>
    public static implicit operator Live<T>(T value) => new LiveSource<T>(value);

    /// <summary>From now on hears of each new value; the one of now is not told. Must be quick and throw nothing.</summary>
    public abstract void Follow(Action<T> changed);

    /// <summary>What is made of this value: anew when it is first read after a change.</summary>
    public Live<TMade> Select<TMade>(Func<T, TMade> make) => new Selection<TMade>(this, make);

    private sealed class Selection<TMade>(Live<T> source, Func<T, TMade> make) : Live<TMade>
    {
        private Made? _made;

        public override TMade Value
        {
            get
            {
                object version = source.Version;
                if (Volatile.Read(ref _made) is { } made && ReferenceEquals(made.Version, version))
                    return made.Value;

                // Should the value have changed since, this is of the next version already, and made once more at the next look.
                var next = new Made(version, make(source.Value));
                Volatile.Write(ref _made, next);
                return next.Value;
            }
        }

        internal override object Version => source.Version;

        public override void Follow(Action<TMade> changed) => source.Follow(value => changed(make(value)));

        private sealed record Made(object Version, TMade Value);
    }
}

/// <summary>Where a value comes from: what a reload writes.</summary>
/// <param name="value">The first one.</param>
internal sealed class LiveSource<T>(T value) : Live<T>
{
    private readonly Lock _lock = new();
    private readonly List<Action<T>> _followers = [];
    private Box _box = new(value);

    public override T Value => Volatile.Read(ref _box).Value;

    internal override object Version => Volatile.Read(ref _box);

    /// <summary>Replaces it. Followers have heard of it when this returns.</summary>
    public void Set(T value)
    {
        Action<T>[] followers;
        lock (_lock)
        {
            Volatile.Write(ref _box, new Box(value));
            followers = [.. _followers];
        }

        foreach (var follow in followers)
            follow(value);
    }

    public override void Follow(Action<T> changed)
    {
        lock (_lock)
            _followers.Add(changed);
    }

    /// <summary>Holds values of any size, so that readers see one or the other.</summary>
    private sealed class Box(T value)
    {
        public T Value { get; } = value;
    }
}
